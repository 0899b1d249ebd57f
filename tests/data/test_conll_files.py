"""Files with one token a line: separators, columns, comments, odd spaces, and how broken lines are told."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

import pytest

from provetune.core.errors import DataError
from provetune.data.reading import read_table
from provetune.data.table import RawTable

REAL = Path(__file__).parents[3] / "shared" / "data"


def read(folder: Path, content: str | bytes, name: str = "rows.conll", delimiter: str | None = None) -> RawTable:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table(str(path), delimiter=delimiter)


def lists(raw: RawTable, column: str) -> list[Any]:
    return [json.loads(cell) for cell in raw.table[column].to_pylist()]


@pytest.mark.parametrize("ending", [".conll", ".bio", ".iob", ".iob2", ".bioes", ".bmes", ".char.bmes", ".BIO"])
def test_a_sentence_is_a_row(tmp_path: Path, ending: str) -> None:
    raw = read(tmp_path, "New\tB-LOC\nYork\tI-LOC\n\nHi\tO\n", f"rows{ending}")
    assert raw.names == ["tokens", "tags"]
    assert lists(raw, "tokens") == [["New", "York"], ["Hi"]]
    assert lists(raw, "tags") == [["B-LOC", "I-LOC"], ["O"]]
    assert raw.table["_row"].to_pylist() == [1, 4]
    assert raw.format == "conll"
    assert raw.notes == ()


@pytest.mark.parametrize("blank", ["\n", "\t\n", "  \n", "\r\n", "\ufeff\n", "\n\n\n"])
def test_what_separates_sentences(tmp_path: Path, blank: str) -> None:
    raw = read(tmp_path, f"a\tO\n{blank}b\tO\n")
    assert lists(raw, "tokens") == [["a"], ["b"]]


def test_spaces_separate_too(tmp_path: Path) -> None:
    raw = read(tmp_path, "高 B-NAME\n勇  E-NAME\r\n，\tO\n")
    assert lists(raw, "tokens") == [["高", "勇", "，"]]
    assert lists(raw, "tags") == [["B-NAME", "E-NAME", "O"]]


def test_odd_spaces_and_line_separators_are_tokens(tmp_path: Path) -> None:
    raw = read(tmp_path, "a O\n\u3000 O\n\xa0 O\n\u2028 O\n  O\n\x85 O\nb O\n")
    assert lists(raw, "tokens") == [["a", "\u3000", "\xa0", "\u2028", " ", "\x85", "b"]]


def test_columns_between_are_kept(tmp_path: Path) -> None:
    text = "-DOCSTART- -X- O O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\n-DOCSTART- -X- O O\n\nPeter NNP B-NP B-PER\n"
    raw = read(tmp_path, text)
    assert raw.names == ["tokens", "column_2", "column_3", "tags", "document"]
    assert lists(raw, "tokens") == [["EU", "rejects"], ["Peter"]]
    assert lists(raw, "column_2") == [["NNP", "VBZ"], ["NNP"]]
    assert lists(raw, "tags") == [["B-ORG", "O"], ["B-PER"]]
    assert raw.table["document"].to_pylist() == ["1", "2"]


def test_comments_are_passed_over_and_counted(tmp_path: Path) -> None:
    text = "# id 17\tdomain=train\textra\n#WeLoveYou\tB-EVENT\n#\tO\n# sent\na\tO\n\n# id 18\nb\tO\n"
    raw = read(tmp_path, text)
    assert lists(raw, "tokens") == [["#WeLoveYou", "#", "a"], ["b"]]
    assert raw.table["_row"].to_pylist() == [2, 8]
    assert raw.notes == ("3 comment lines (the first is line 1) were passed over.",)


def test_comments_with_as_many_words_as_columns(tmp_path: Path) -> None:
    raw = read(tmp_path, "# id 5239d808 domain=train\nthe _ _ O\n# _ _ O\nkiller _ _ B-X\n")
    assert lists(raw, "tokens") == [["the", "#", "killer"]]


@pytest.mark.parametrize(
    ("content", "note"),
    [
        ("吴 B-NAME\n重 E-NAME\n的 O\n".encode("gb18030"), "The encoding is GB18030."),
        (codecs.BOM_UTF8 + "吴 B-NAME\n重 E-NAME\n的 O\n".encode(), "The encoding is UTF-8 with a byte-order mark."),
        ("吴 B-NAME\n重 E-NAME\n的 O\n".encode("utf-16"), "The encoding is UTF-16."),
    ],
)
def test_encodings(tmp_path: Path, content: bytes, note: str) -> None:
    raw = read(tmp_path, content)
    assert lists(raw, "tokens") == [["吴", "重", "的"]]
    assert raw.notes == (note,)


def test_positions_in_words_are_taken_off(tmp_path: Path) -> None:
    raw = read(tmp_path, "科0\tO\n技1\tO\n的0\tO\n10\tO\n\n\ufffd\ufffd0\tO\n")
    assert lists(raw, "tokens") == [["科", "技", "的", "1"], ["\ufffd\ufffd"]]
    assert "digits were taken off" in raw.notes[0]


def test_digits_that_are_no_positions_stay(tmp_path: Path) -> None:
    raw = read(tmp_path, "a1\tO\nb2\tO\n\nc0\tO\n")
    assert lists(raw, "tokens") == [["a1", "b2"], ["c0"]]
    assert raw.notes == ()


def test_a_broken_line_is_told_with_its_place(tmp_path: Path) -> None:
    raw = read(tmp_path, "a\tO\n\nb\tO\nNew York\nc\tB-X\n\nd\tO\te\n\nf\t\n\ng\tO\n")
    assert lists(raw, "tokens") == [["a"], ["b", "New York", "c"], ["d\tO\te"], ["f"], ["g"]]
    assert lists(raw, "tags") == [["O"], ["O", None, "B-X"], [None], [""], ["O"]]
    assert raw.table["faults"].to_pylist() == [
        None,
        "line 4 has 1 column instead of 2: 'New York'",
        "line 7 has 3 columns instead of 2: 'd\tO\te'",
        "line 9, column 2 is empty: 'f\t'",
        None,
    ]


def test_a_file_without_tags_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows\.conll, line 2, column 2: Most lines have one column, such as 'hello'"):
        read(tmp_path, "\nhello\nworld\n")


def test_lines_that_do_not_agree_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 1: Lines do not agree on their columns: 4 in 2 of 5 lines, 2 in this"):
        read(tmp_path, "a b\na b c\na b c d\na b c d\nq\n")


def test_a_file_without_a_sentence_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="only blank space"):
        read(tmp_path, "\n\t\n")
    with pytest.raises(DataError, match="no sentence"):
        read(tmp_path, "-DOCSTART- O\n\n-DOCSTART- O\n")


def test_a_stated_separator_is_taken(tmp_path: Path) -> None:
    raw = read(tmp_path, "New York|B-LOC\nis|O\n", delimiter="|")
    assert lists(raw, "tokens") == [["New York", "is"]]


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/data is absent")
@pytest.mark.parametrize(
    ("name", "rows", "entities"),
    [
        ("wnut17/train.conll", 3394, 1975),
        ("wnut17/dev.conll", 1009, 835),
        ("wnut17/test.conll", 1287, 1079),
        ("weibo_ner_zh/train.conll", 1350, 1885),
        ("resume_ner_zh/train.char.bmes", 3821, 13438),
    ],
)
def test_real_files_have_the_entities_their_owners_count(name: str, rows: int, entities: int) -> None:
    raw = read_table(str(REAL / name))
    tags = lists(raw, "tags")
    assert raw.rows == rows
    # Counted straight from the file: beginnings of entities, by letter.
    assert sum(tag[0] in "BS" for row in tags for tag in row) == entities
    assert "faults" not in raw.names


def test_tags_as_numbers_get_the_names_that_the_data_set_gives() -> None:
    import pyarrow as pa

    from provetune.data.readers._typed import from_arrow

    table = pa.table({"tokens": [["New", "York"], ["Hm"]], "ner_tags": pa.array([[1, 2], [0]], pa.list_(pa.int64()))})
    raw = from_arrow(table, "hub:me/ner", "hub", (), {"ner_tags": ["O", "B-LOC", "I-LOC"]})
    assert lists(raw, "ner_tags") == [["B-LOC", "I-LOC"], ["O"]]
    assert raw.kind_of("ner_tags").tolist() == raw.kind_of("tokens").tolist()


def test_a_data_set_names_the_labels_of_lists() -> None:
    from datasets import ClassLabel, List, Value

    from provetune.data.readers.hub import _label_names

    assert _label_names(List(ClassLabel(names=["O", "B-X"]))) == ["O", "B-X"]
    assert _label_names(ClassLabel(names=["no", "yes"])) == ["no", "yes"]
    assert _label_names(List(Value("string"))) is None
    assert _label_names(Value("int64")) is None
