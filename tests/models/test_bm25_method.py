"""The method bm25: what it chooses, scores, keeps and reads again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from provetune.core.errors import CorruptError
from provetune.core.protocols import ExampleMethod, Targets
from provetune.models.lexical import LexicalIndex, split_words
from provetune.models.methods.bm25 import METHOD, Bm25Settings
from provetune.tasks import TASKS

TARGETS = Targets("documents", ())
TASK = TASKS.get("retrieval")
QUERIES = ["red cars", "a blue balloon", "the sky"]
DOCUMENTS = ["A red car stands here.", "Balloons are blue or red.", "Sky is above cars."]


def rows(queries: list[str] = QUERIES, documents: list[str] | None = DOCUMENTS) -> pa.Table:
    columns = {"text": queries} if documents is None else {"text": queries, "text_pair": documents, "label": documents}
    return pa.table(columns)


def fitted(**settings: object) -> object:
    return METHOD.fit(rows(), TASK, TARGETS, Bm25Settings(**settings), validation=rows())  # type: ignore[arg-type]


def test_it_is_a_method_of_rows() -> None:
    assert isinstance(METHOD, ExampleMethod)
    assert METHOD.tasks == ("retrieval",)


def test_scores_are_those_of_the_documents_of_the_rows() -> None:
    model = fitted(k1=1.1, b=0.5, stemmer="none")
    outputs, features = model.outputs(rows())  # type: ignore[attr-defined]
    assert features is None
    assert outputs.documents == tuple(DOCUMENTS)
    index = LexicalIndex([split_words(text) for text in DOCUMENTS], k1=1.1, b=0.5)
    expected = index.scores([split_words(text) for text in QUERIES])
    np.testing.assert_allclose(outputs[:], expected)
    np.testing.assert_allclose(outputs[1], expected[1])
    assert len(outputs) == 3


def test_what_is_left_open_is_chosen_on_validation_rows() -> None:
    model = fitted()
    assert model.stemmer == "english"  # type: ignore[attr-defined]  # cars and car are one word only then
    assert model.facts["tried"] == 40  # type: ignore[attr-defined]
    assert model.facts["mrr"] == 1.0  # type: ignore[attr-defined]
    plain = METHOD.fit(rows(), TASK, TARGETS, Bm25Settings(), validation=rows().slice(0, 0))
    assert (plain.k1, plain.b, plain.stemmer) == (1.2, 0.75, None)


def test_queries_alone_are_answered_from_the_training_documents(tmp_path: Path) -> None:
    model = fitted()
    model.save(tmp_path)  # type: ignore[attr-defined]
    read = METHOD.load(tmp_path, TASK, TARGETS)
    assert read == model
    asked = rows(["which red car", "unheard"], None)
    outputs, features = read.outputs(asked)
    told = TASK.predictions(TASK.answers(outputs, features, asked, TARGETS), TARGETS, top_k=2)
    assert [each["document"] for each in told] == [DOCUMENTS[0], None]
    assert [len(each["documents"]) for each in told] == [2, 0]
    assert told[1]["score"] is None
    assert told[0]["embedding"] is None


def test_damaged_files_are_named(tmp_path: Path) -> None:
    fitted().save(tmp_path)  # type: ignore[attr-defined]
    (tmp_path / "bm25.parquet").write_bytes(b"nothing")
    with pytest.raises(CorruptError, match="bm25"):
        METHOD.load(tmp_path, TASK, TARGETS)


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ValueError, match="Snowball"):
        Bm25Settings(stemmer="klingon")
