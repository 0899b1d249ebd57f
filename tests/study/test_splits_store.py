"""Rows lie in mapped files; the sealed ones are refused; damage is noticed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from provetune.core.errors import CorruptError, UsageError
from provetune.study.splits_store import TEST_FILE, load_split, map_table, save_splits, split_summary


def table(count: int) -> pa.Table:
    return pa.table({"row_id": [f"r{n}" for n in range(count)], "text": ["ü" * n for n in range(count)]})


def splits(train: int = 6) -> Any:
    hashes = {"train": "a" * 64, "validation": "b" * 64, "test": "c" * 64}
    return SimpleNamespace(train=table(train), validation=table(2), test=table(3), hashes=hashes)


def test_rows_come_back_from_a_mapped_file(tmp_path: Path) -> None:
    save_splits(tmp_path, splits())
    before = pa.total_allocated_bytes()
    loaded = load_split(tmp_path, "train")
    assert pa.total_allocated_bytes() == before
    assert loaded.equals(table(6))
    assert split_summary(tmp_path)["test"] == {"rows": 3, "hash": "c" * 64}


def test_the_test_rows_are_refused_but_lie_there(tmp_path: Path) -> None:
    save_splits(tmp_path, splits())
    with pytest.raises(UsageError, match="sealed"):
        load_split(tmp_path, "test")
    with pytest.raises(UsageError, match="no split 'tset'"):
        load_split(tmp_path, "tset")
    assert map_table(tmp_path / TEST_FILE).num_rows == 3


def test_saving_again_keeps_and_other_rows_are_refused(tmp_path: Path) -> None:
    save_splits(tmp_path, splits())
    written = (tmp_path / TEST_FILE).stat().st_mtime_ns
    save_splits(tmp_path, splits())
    assert (tmp_path / TEST_FILE).stat().st_mtime_ns == written
    with pytest.raises(CorruptError, match="not those recorded"):
        save_splits(tmp_path, splits(train=7))


def test_damage_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(CorruptError, match="no splits"):
        split_summary(tmp_path)
    save_splits(tmp_path, splits())
    path = tmp_path / "splits/train.arrow"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CorruptError, match=r"train\.arrow: The file is missing or damaged"):
        load_split(tmp_path, "train")
    save_splits(tmp_path / "other", splits(train=5))
    (tmp_path / "other/splits/train.arrow").replace(path)
    with pytest.raises(CorruptError, match="does not hold the rows"):
        load_split(tmp_path, "train")
