"""JSON lines, JSON documents and Parquet: types are kept in mind, faults have a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provetune.core.errors import DataError, EnvironmentFault
from provetune.data.reading import read_table
from provetune.data.table import Kind


def write(folder: Path, content: str, name: str) -> str:
    (folder / name).write_text(content, encoding="utf-8")
    return str(folder / name)


def test_lines_with_missing_keys_nesting_and_types(tmp_path: Path) -> None:
    lines = [
        '{"text": "a", "n": 1}',
        "",
        '{"text": null, "meta": {"from": "x", "deep": {"k": [1, "b"]}}}',
        '{"n": NaN}',
    ]
    raw = read_table(write(tmp_path, "\n".join(lines), "rows.jsonl"))
    assert raw.names == ["text", "n", "meta.from", "meta.deep.k"]
    assert raw.table["_row"].to_pylist() == [1, 3, 4]
    assert raw.table["text"].to_pylist() == ["a", None, None]
    assert raw.table["n"].to_pylist() == ["1", None, None]
    assert raw.table["meta.deep.k"].to_pylist() == [None, '[1,"b"]', None]
    assert raw.kind_of("n").tolist() == [Kind.NUMBER, Kind.MISSING, Kind.MISSING]
    assert raw.kind_of("meta.deep.k").tolist() == [Kind.MISSING, Kind.LIST, Kind.MISSING]
    assert raw.kind_of("text").tolist() == [Kind.TEXT, Kind.MISSING, Kind.MISSING]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": "b"}\n{"a": \n', r"rows\.jsonl, line 2: This line is not JSON: expecting value at column"),
        ('{"a": "b"}\n["a"]\n', r"rows\.jsonl, line 2: This line holds a list, not an object"),
        ("\n\n", "only blank space"),
        ("[" * 100_000, "line 1: This line is nested too deeply"),
        ('{"a": "\\ud83d"}\n', "row 1: Column 'a' holds half a character"),
        ('{"_file": "x"}\n', "'_file' is reserved"),
    ],
)
def test_broken_lines(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_table(write(tmp_path, content, "rows.jsonl"))


@pytest.mark.parametrize(
    "content", ['[{"text": "a"}, {"text": "b"}]', '{"version": 1, "data": [{"text": "a"}, {"text": "b"}]}']
)
def test_documents(tmp_path: Path, content: str) -> None:
    raw = read_table(write(tmp_path, content, "rows.json"))
    assert raw.table.to_pydict() == {"text": ["a", "b"], "_row": [1, 2]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": 1}', "no list of rows"),
        ("[]", "list of rows is empty"),
        ('[{"a": "b"}, 3]', r"rows\.json, row 2: This row is a int"),
        ('[{"a": "b"},\n {"a" 3}]', r"rows\.json, line 2, column 7: This is not JSON"),
    ],
)
def test_broken_documents(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_table(write(tmp_path, content, "rows.json"))


RECORDS = st.lists(
    st.fixed_dictionaries(
        {"text": st.text(st.characters(exclude_categories=("Cs",)), max_size=20), "label": st.sampled_from("ab")}
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(records=RECORDS, escaped=st.booleans(), encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_lines_are_read_back(tmp_path: Path, records: list[dict[str, Any]], escaped: bool, encoding: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes("".join(json.dumps(record, ensure_ascii=escaped) + "\n" for record in records).encode(encoding))
    assert read_table(str(path)).table.select(["text", "label"]).to_pylist() == records


def test_parquet_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "text": pa.array(["a", None, "c"], pa.large_string()),
            "n": [1, None, 3],
            "flag": [True, False, None],
            "ratio": [1.0, float("nan"), 0.25],
            "tags": [["x", "y"], [], None],
            "kind": pa.array(["p", "q", "p"]).dictionary_encode(),
            "meta": [{"from": "m"}, {"from": None}, {"from": "n"}],
        }
    )
    pq.write_table(table, tmp_path / "rows.parquet")
    raw = read_table(str(tmp_path / "rows.parquet"))
    assert raw.table.to_pydict() == {
        "text": ["a", None, "c"],
        "n": ["1", None, "3"],
        "flag": ["true", "false", None],
        "ratio": ["1.0", None, "0.25"],
        "tags": ['["x","y"]', "[]", None],
        "kind": ["p", "q", "p"],
        "meta.from": ["m", None, "n"],
        "_row": [1, 2, 3],
    }
    assert raw.kind_of("tags").tolist() == [Kind.LIST, Kind.LIST, Kind.MISSING]
    assert raw.kind_of("ratio").tolist() == [Kind.NUMBER, Kind.MISSING, Kind.NUMBER]


def test_damaged_parquet(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows\.parquet: This cannot be read as Parquet"):
        read_table(write(tmp_path, "PAR1 nothing more", "rows.parquet"))


def test_excel_needs_its_extra_or_reads_the_first_sheet(tmp_path: Path) -> None:
    path = tmp_path / "rows.xlsx"
    try:
        import openpyxl
    except ImportError:
        path.write_bytes(b"PK\x03\x04")
        with pytest.raises(EnvironmentFault, match=r"provetune\[excel\]"):
            read_table(str(path))
        return
    book = openpyxl.Workbook()
    for row in (["text", "label"], ["good", 1], [None, None], ["bad", 0]):
        book.active.append(row)
    book.save(path)
    assert read_table(str(path)).table.to_pydict() == {"text": ["good", "bad"], "label": ["1", "0"], "_row": [2, 4]}
