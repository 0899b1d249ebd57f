"""The first sentences of a source as a baseline."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from provetune.core.errors import CorruptError
from provetune.models.methods import METHODS
from provetune.models.methods.lead import first_sentences
from provetune.tasks import TASKS

TASK, METHOD = TASKS.get("seq2seq"), METHODS.get("lead")


@pytest.mark.parametrize(
    ("text", "count", "wanted"),
    [
        ("One. Two! Three?", 1, "One."),
        ("One. Two! Three?", 2, "One. Two!"),
        ("One. Two! Three?", 5, "One. Two! Three?"),
        ("  One. Two ", None, "One. Two"),
        ("第一句。第二句！", 1, "第一句。"),
        ("A: hello\nB: hi there", 1, "A: hello"),
        ("It costs 3.50 today. Yes.", 1, "It costs 3.50 today."),
        ("", 1, ""),
    ],
)
def test_sentences_end_where_they_end(text: str, count: int | None, wanted: str) -> None:
    assert first_sentences(text, count) == wanted


def rows(count: int) -> pa.Table:
    sources = [f"The parcel {k} is late. It left on Monday {k}. Nobody knows why." for k in range(count)]
    wanted = [" ".join(text.split(" ")[:10]) for text in sources]
    return pa.table({"row_id": [str(k) for k in range(count)], "text": sources, "label": wanted})


def test_the_number_that_fits_validation_best_is_taken(tmp_path: Path) -> None:
    settled = TASK.targets(rows(8))
    model = METHOD.fit(rows(8), TASK, settled, METHOD.settings(), seed=1, validation=rows(4))
    assert model.sentences == 2
    model.save(tmp_path)
    loaded = METHOD.load(tmp_path, TASK, settled)
    outputs, features = loaded.outputs(rows(2))
    assert features is None
    told = TASK.predictions(TASK.answers(outputs, None, rows(2), settled), settled)
    assert told[1] == {"text": "The parcel 1 is late. It left on Monday 1.", "score": None}


def test_a_number_that_is_said_stays() -> None:
    settled = TASK.targets(rows(8))
    for said, wanted in ((3, 3), ("all", None)):
        settings = METHOD.settings(sentences=said)
        assert METHOD.fit(rows(8), TASK, settled, settings, seed=1, validation=rows(4)).sentences == wanted


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lead.json").write_text("{")
    with pytest.raises(CorruptError, match="number of sentences cannot be read"):
        METHOD.load(tmp_path, TASK, TASK.targets(rows(2)))
