"""Personal data masked in tagged texts: spans move with the letters, in training and back again in prediction."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from provetune.core.protocols import PointsIntoText, Targets
from provetune.data.examples import to_examples
from provetune.data.reading import read_table
from provetune.data.words import find_words
from provetune.inference.predictor import Predictor
from provetune.problem.syntax import Columns, Data
from provetune.tasks import TASKS

TASK: Any = TASKS.get("tagging")
TARGETS = Targets("spans", ("contact", "person"), (1, 1))


def read(folder: Path, rows: list[Any], **data: Any) -> pa.Table:
    path = folder / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n")
    raw = read_table(str(path))
    columns = Columns.model_validate(TASK.detect(raw, {}).columns)
    return to_examples(raw, Data(columns=columns, **data), columns, TASK)


def letters(table: pa.Table) -> list[Any]:
    rows = zip(table["text"].to_pylist(), table["label"].to_pylist(), strict=True)
    return [[(text[one["start"] : one["end"]], one["label"]) for one in spans] for text, spans in rows]


def test_spans_move_with_the_letters(tmp_path: Path) -> None:
    rows = [
        {
            "text": "王伟 a.b@c.org, Bob 13812345678",
            "spans": [[0, 2, "person"], [3, 10, "contact"], [14, 17, "person"]],
        },
        # Half of an address is all of it; two halves with one label are one.
        {"text": "to a.b@c.org", "spans": [[3, 6, "contact"], [7, 12, "contact"]]},
        {"text": "Bob alone", "spans": [[0, 3, "person"]]},
    ]
    table = read(tmp_path, rows, mask=["email", "phone"])
    assert table["text"].to_pylist() == ["王伟 <EMAIL>, Bob <PHONE>", "to <EMAIL>", "Bob alone"]
    assert letters(table) == [
        [("王伟", "person"), ("<EMAIL>", "contact"), ("Bob", "person")],
        [("<EMAIL>", "contact")],
        [("Bob", "person")],
    ]
    assert table["raw.text"].to_pylist()[1] == "to <EMAIL>"


def test_tokens_move_too_and_those_that_fall_together_are_given_up(tmp_path: Path) -> None:
    rows = [
        {"tokens": ["Ask", "a@b.org", "now", "Bo"], "tags": ["O", "B-contact", "O", "B-person"]},
        {
            "tokens": ["Call", "138", "1234", "5678", "Bo"],
            "tags": ["O", "B-contact", "I-contact", "I-contact", "B-person"],
        },
    ]
    table = read(tmp_path, rows, mask=["email", "phone"])
    assert table["text"].to_pylist() == ["Ask <EMAIL> now Bo", "Call <PHONE> Bo"]
    assert letters(table) == [[("<EMAIL>", "contact"), ("Bo", "person")], [("<PHONE>", "contact"), ("Bo", "person")]]
    assert table["token_starts"].to_pylist() == [[0, 4, 12, 16], None]
    assert table["tags"].to_pylist() == [["O", "B-contact", "O", "B-person"], None]


class _Answerer:
    """Calls every word in a placeholder a contact and every word with a capital a person."""

    precision, engine = "fp32", "by rule"

    def outputs(self, examples: pa.Table) -> tuple[list[Any], None]:
        return [self._scores(text) for text in examples["text"].to_pylist()], None

    def _scores(self, text: str) -> Any:
        scores = np.zeros((len(find_words(text)), 5), dtype=np.float32)
        for number, (start, end) in enumerate(find_words(text)):
            word = text[start:end]
            kind = 1 if word in ("EMAIL", "PHONE") else 3 if word[0].isupper() else 0
            scores[number, kind] = 9.0
        return scores


def test_predictions_are_places_in_the_text_as_given(tmp_path: Path) -> None:
    record = {"columns": {"text": "text"}, "problem": {"data": {"mask": ["email", "phone"]}}}
    predictor = Predictor(tmp_path, TASK, TARGETS, record, _Answerer())
    text = "👩‍👧 Ada  writes to a.b@c.org, Bob rings +44 20 7946 0958."
    (answer,) = predictor.predict([text])
    assert [(one["text"], one["label"]) for one in answer["spans"]] == [
        ("Ada", "person"),
        ("a.b@c.org", "contact"),
        ("Bob", "person"),
        ("+44 20 7946 0958", "contact"),
    ]
    assert all(text[one["start"] : one["end"]] == one["text"] for one in answer["spans"])
    nothing, again = predictor.predict([" ", text], missing="keep")
    assert (nothing["spans"], again) == (None, answer)


def test_it_says_where_spans_stand() -> None:
    assert isinstance(TASKS.get("tagging"), PointsIntoText)
    assert isinstance(TASKS.get("span_qa"), PointsIntoText)


def test_of_several_spans_in_one_find_the_likeliest_is_told() -> None:
    from provetune.data.masked_places import mask_keeping_places
    from provetune.tasks.tagging.answers import place_in_given

    masked = mask_keeping_places("to a.b@c.org", ["email"])
    found = [
        {"start": 3, "end": 4, "text": "<", "label": "x", "score": 0.4},
        {"start": 4, "end": 9, "text": "EMAIL", "label": "y", "score": 0.9},
        {"start": 9, "end": 10, "text": ">", "label": "z", "score": 0.6},
    ]
    assert place_in_given(found, masked) == [{"start": 3, "end": 12, "text": "a.b@c.org", "label": "y", "score": 0.9}]
