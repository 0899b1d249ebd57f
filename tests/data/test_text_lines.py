"""Text files without a header: a line a row, cells apart by tabs."""

from __future__ import annotations

from pathlib import Path

import pytest

from provetune.core.errors import DataError
from provetune.data.reading import read_table
from provetune.data.table import ROW


def write(folder: Path, text: str) -> str:
    path = folder / "pairs.txt"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_lines_with_tabs_become_columns(tmp_path: Path) -> None:
    raw = read_table(write(tmp_path, 'Hi.\t嗨。\n\n"Run\t跑\n'))
    assert raw.names == ["text_1", "text_2"]
    assert raw.table["text_1"].to_pylist() == ["Hi.", '"Run']
    assert raw.table["text_2"].to_pylist() == ["嗨。", "跑"]
    assert raw.table[ROW].to_pylist() == [1, 3]
    assert any("no header" in note for note in raw.notes)


def test_lines_without_tabs_are_texts(tmp_path: Path) -> None:
    raw = read_table(write(tmp_path, "one, two\r\nthree"))
    assert raw.names == ["text"]
    assert raw.table["text"].to_pylist() == ["one, two", "three"]


def test_a_ragged_line_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"pairs\.txt, line 2: This line has 1 cell, the first one has 2"):
        read_table(write(tmp_path, "a\tb\nc\n"))


def test_a_blank_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="only blank space"):
        read_table(write(tmp_path, "\n \n"))
