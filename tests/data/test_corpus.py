"""A corpus beside the rows: read, carried by every split, part of the hashes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provetune.core.errors import DataError
from provetune.data.documents import find_documents
from provetune.data.splits import Splits, make_splits
from provetune.problem.syntax import Data
from provetune.tasks import TASKS

TASK = TASKS.get("retrieval")


def write_rows(folder: Path, count: int = 40) -> None:
    rows = [{"question": f"what is number {k}", "document": f"it is {k} and no more"} for k in range(count)]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))


def splits_of(folder: Path, **fields: object) -> Splits:
    return make_splits(Data(train="rows.jsonl", **fields), folder, TASK)  # type: ignore[arg-type]


def test_every_split_carries_the_whole_corpus(tmp_path: Path) -> None:
    write_rows(tmp_path)
    texts = [f"more {k}" for k in range(11)]
    (tmp_path / "more.jsonl").write_text("\n".join(json.dumps({"document": text}) for text in [*texts, texts[0], ""]))
    plain, found = splits_of(tmp_path), splits_of(tmp_path, corpus="more.jsonl")
    for name, table in found.tables.items():
        assert [text for cell in table["corpus"].to_pylist() for text in cell] == texts
        assert len(table) == len(plain.tables[name])
        assert len(find_documents(table)) == len(table) + 11
        assert found.hashes[name] != plain.hashes[name]
    assert any("11 documents" in note for note in found.notes)
    (tmp_path / "same.jsonl").write_text("\n".join(json.dumps({"document": text}) for text in reversed(texts)))
    assert splits_of(tmp_path, corpus="same.jsonl").hashes == found.hashes


def test_a_corpus_may_be_plain_lines_or_have_its_own_column(tmp_path: Path) -> None:
    write_rows(tmp_path)
    (tmp_path / "other.csv").write_text("id,paragraph\n1,The first one of these\n2,The second one of these\n")
    found = splits_of(tmp_path, corpus="other.csv")
    assert found.train["corpus"].to_pylist()[-1] == ["The second one of these"]


def test_personal_data_in_a_corpus_are_masked(tmp_path: Path) -> None:
    write_rows(tmp_path)
    (tmp_path / "more.jsonl").write_text(json.dumps({"document": "write to jo@example.org at once"}))
    found = splits_of(tmp_path, corpus="more.jsonl", mask=["email"])
    assert ["write to <EMAIL> at once"] in found.test["corpus"].to_pylist()


def test_a_task_that_looks_for_nothing_takes_no_corpus(tmp_path: Path) -> None:
    rows = [{"text": f"what is number {k}", "label": str(k % 2)} for k in range(60)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(DataError, match="looks for no documents"):
        make_splits(Data(train="rows.jsonl", corpus="rows.jsonl"), tmp_path, TASKS.get("classification"))


def test_an_empty_corpus_is_refused(tmp_path: Path) -> None:
    write_rows(tmp_path)
    (tmp_path / "more.jsonl").write_text(json.dumps({"document": " "}))
    with pytest.raises(DataError, match="no document in this file"):
        splits_of(tmp_path, corpus="more.jsonl")
