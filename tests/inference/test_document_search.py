"""JSON documents and Excel sheets read row by row: the rows that a whole reading gives, in memory that stays."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_bundles import write_tfidf_bundle

import provetune.inference.json_rows as json_rows
from provetune.core.errors import DataError
from provetune.inference.json_rows import JsonSource
from provetune.inference.predictor import Predictor, load
from provetune.inference.sources import open_source

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
ROWS = st.lists(st.dictionaries(st.text(max_size=6), VALUES, min_size=1, max_size=4), min_size=1, max_size=8)


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return load(write_tfidf_bundle(tmp_path_factory.mktemp("words") / "bundle"))


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@settings(max_examples=150, deadline=None)
@given(ROWS, st.integers(1, 40), st.sampled_from([None, 2]), st.booleans(), st.booleans())
def test_rows_are_those_of_the_whole_document(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[dict[str, Any]],
    piece: int,
    indent: int | None,
    escaped: bool,
    inside: bool,
) -> None:
    document = {"about": {"items": [[1], "]"]}, "rows": rows, "n": 12} if inside else rows
    path = tmp_path_factory.mktemp("json") / "rows.json"
    write(
        path,
        json.dumps(document, indent=indent, ensure_ascii=escaped) + "\n" if escaped or _whole(document) else "[{}]",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_rows, "_PIECE", piece)
        source = JsonSource(path)
        found = [row for _, row in source.rows()]
    wanted = json.loads(path.read_text(encoding="utf-8"))
    assert found == (wanted["rows"] if isinstance(wanted, dict) else wanted)
    assert list(source.names) == list(dict.fromkeys(name for row in found for name in row))


def _whole(document: Any) -> bool:
    """Whether UTF-8 can write it: a lone surrogate it cannot."""
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def test_the_list_is_the_one_that_training_takes(tmp_path: Path) -> None:
    both = write(tmp_path / "both.json", '{"items": [{"text": "no"}], "more": 1, "data": [{"text": "yes"}]}')
    assert [row for _, row in JsonSource(both).rows()] == [{"text": "yes"}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[{"text": "a"}, {"text": "b"]', r"rows\.json, line 1: This is not JSON: expecting ',' delimiter"),
        ('[\n{"text": "a"},\n{"text": oops}\n]', r"rows\.json, line 3: This is not JSON: expecting value"),
        ('[{"text": "a"}', r"This is not JSON: expecting ','"),
        ('[{"text": "a"} {"text": "b"}]', r"This is not JSON: expecting ','"),
        ('{"text": "a"}\n{"text": "b"}', r"line 2: This is not JSON: extra data\. One object a line is called \.jsonl"),
        ('{"data": [{"text": "a"}], oops}', "expecting property name"),
        ('{"text": "a"}', "no list of rows"),
        ('"text"', "no list of rows"),
        ('["a"]', "row 1: This row is a str, not an object"),
        ('[{"text": "a"}, null]', r"row 2: This row is nothing \(null\)"),
        ('[{"text": "a\n"}]', "invalid control character"),
        ("[]", "no rows to answer"),
        ('[{"text": 5}]', r"row 1: The text must be a string. Got a number \(5\)"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_faults_name_their_place_and_leave_nothing(words: Predictor, tmp_path: Path, content: str, said: str) -> None:
    source = write(tmp_path / "rows.json", content)
    with pytest.raises(DataError, match=said):
        words.predict_file(source, tmp_path / "out.jsonl")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.json"]


def test_values_keep_their_kinds_and_csv_has_every_column(words: Predictor, tmp_path: Path) -> None:
    rows = [{"text": "a parcel", "n": 3, "tags": ["x"]}, {"text": "card", "late": None}]
    source = write(tmp_path / "rows.json", json.dumps(rows))
    words.predict_file(source, tmp_path / "out.jsonl")
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [{name: row[name] for name in given} for row, given in zip(found, rows, strict=True)] == rows
    words.predict_file(source, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().splitlines()[0] == "text,n,tags,late,label,score"


@pytest.mark.parametrize("ending", [".json", ".jsonl"])
def test_columns_of_nested_objects_are_dotted_as_in_training(words: Predictor, tmp_path: Path, ending: str) -> None:
    rows = [{"id": 1, "mail": {"body": "a parcel"}}, {"id": 2, "mail": {"body": "card charged"}}]
    text = json.dumps(rows) if ending == ".json" else "\n".join(map(json.dumps, rows))
    source = write(tmp_path / f"rows{ending}", text)
    words.predict_file(source, tmp_path / "out.jsonl", columns=["mail.body"])
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["label"] for row in found] == words.predict(["a parcel", "card charged"]).labels
    assert [row["mail"] for row in found] == [row["mail"] for row in rows]
    with pytest.raises(DataError, match=r"There is no column 'mail\.boddy'"):
        words.predict_file(source, tmp_path / "out.jsonl", columns=["mail.boddy"])


def _peak(path: Path, count: int) -> int:
    """Most memory in bytes while all rows are read; finding the encoding, in pieces of its own, is left out."""
    source = open_source(path)
    tracemalloc.start()
    assert sum(1 for _ in source.rows()) == count
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_a_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_rows, "_PIECE", 1 << 12)
    peaks = []
    for count in (2_000, 20_000):
        rows = [{"text": f"parcel {number}", "n": number} for number in range(count)]
        peaks.append(_peak(write(tmp_path / f"{count}.json", json.dumps({"rows": rows})), count))
    assert peaks[1] < 1.3 * peaks[0]


def test_a_sheet_takes_a_few_bytes_a_row(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    peaks = []
    for count in (10, 1_000, 4_000):  # the first loads what is loaded once
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet()
        for number in range(-1, count):
            sheet.append([f"parcel {number % 50} {'and more ' * 100}", number] if number >= 0 else ["text", "n"])
        book.save(tmp_path / f"{count}.xlsx")
        peaks.append(_peak(tmp_path / f"{count}.xlsx", count))
    assert (peaks[2] - peaks[1]) / 3_000 < 300  # a row of text alone has 900 letters


def test_a_sheet_is_answered_as_it_stands(words: Predictor, tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["text", "n"], ["a parcel", 1], [None, None], ["card charged", None], [2024, 3.5]):
        book.active.append(row)
    book.save(tmp_path / "rows.xlsx")
    words.predict_file(tmp_path / "rows.xlsx", tmp_path / "out.jsonl")
    found = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(row["text"], row["n"]) for row in found] == [("a parcel", "1"), ("card charged", None), ("2024", "3.5")]
    assert [row["label"] for row in found] == words.predict(["a parcel", "card charged", "2024"]).labels
