"""Raw rows into examples: ids, texts, labels, masking."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import pytest

from provetune.core.errors import DataError
from provetune.core.protocols import Role
from provetune.data.examples import to_examples
from provetune.data.labelled_texts import LabelledTexts
from provetune.data.row_ids import row_ids, split_hash
from provetune.data.table import RawTable, TableBuilder
from provetune.problem.syntax import Columns, Data

READER = LabelledTexts((Role("text", "The text.", many=True), Role("label", "Its label.", many=True)))


def raw(name: str = "rows.csv", **columns: Sequence[object]) -> RawTable:
    builder = TableBuilder(name)
    builder.add(columns, range(2, 2 + len(next(iter(columns.values())))))
    return builder.finish("csv")


def examples(table: RawTable, text: Any = "text", label: Any = "label", **data: Any) -> Any:
    return to_examples(table, Data(train="rows.csv", **data), Columns(text=text, label=label), READER)


def test_columns_of_examples() -> None:
    table = examples(raw(text=["a", "b"], label=["x", ""], who=["1", "2"]))
    assert table.drop_columns(["row_id", "_bad"]).to_pylist() == [
        {"text": "a", "label": "x", "_file": "rows.csv", "_row": 2, "raw.text": "a", "raw.label": "x", "raw.who": "1"},
        {"text": "b", "label": None, "_file": "rows.csv", "_row": 3, "raw.text": "b", "raw.label": "", "raw.who": "2"},
    ]


def test_ids_are_the_hash_of_the_cells_and_the_occurrence() -> None:
    # By hand: name length, name, cell length, cell, in the order of names; then the number of equal rows before.
    first = hashlib.sha256(b"5:label=1:x4:text=3:\xe5\xa5\xbd" + b"\x1f0").hexdigest()[:32]
    second = hashlib.sha256(b"5:label=1:x4:text=3:\xe5\xa5\xbd" + b"\x1f1").hexdigest()[:32]
    missing = hashlib.sha256(b"5:label=-:4:text=0:" + b"\x1f0").hexdigest()[:32]
    table = raw(text=["好", "", "好"], label=["x", None, "x"])
    assert row_ids(table).to_pylist() == [first, missing, second]


def test_ids_do_not_depend_on_file_order_or_columns_order() -> None:
    one = raw("one.csv", text=["a", "b", "a"], label=["x", "y", "x"])
    other = raw("other.csv", label=["y", "x", "x"], text=["b", "a", "a"])
    assert sorted(row_ids(one).to_pylist()) == sorted(row_ids(other).to_pylist())
    assert split_hash(examples(one)) == split_hash(examples(other))
    assert split_hash(examples(one)) != split_hash(examples(raw(text=["a", "b", "a"], label=["x", "y", "z"])))


def test_cells_cannot_run_into_each_other() -> None:
    one, other = raw(a=["x"], b=["yz"]), raw(a=["xy"], b=["z"])
    assert row_ids(one).to_pylist() != row_ids(other).to_pylist()


def test_the_split_hash_is_that_of_sorted_pairs() -> None:
    table = examples(raw(text=["a", "b"], label=["x", "y"]))
    pairs = sorted(zip(table["row_id"].to_pylist(), table["label"].to_pylist(), strict=True))
    wanted = hashlib.sha256("".join(f"{row}\x1f={label}\x1e" for row, label in pairs).encode()).hexdigest()
    assert split_hash(table) == wanted


def test_pairs_and_joins() -> None:
    table = raw(a=["1", None, None], b=["2", "3", None], c=["4", None, None], label=["x"] * 3)
    pair = examples(table, ["a", "b"])
    assert pair["text"].to_pylist() == ["1", "", None]
    assert pair["text_pair"].to_pylist() == ["2", "3", None]
    joined = examples(table, ["a", "b", "c"])
    assert joined["text"].to_pylist() == ["1 | 2 | 4", "3", None]
    assert "text_pair" not in joined.column_names


def test_several_labels_from_each_form() -> None:
    split = examples(raw(text=["a"] * 4, label=["x| y", "", "y|x|x", None]), label_separator="|")
    assert split["label"].to_pylist() == [["x", "y"], [], ["x", "y"], None]
    lists = examples(raw(text=["a"] * 4, label=[["y", "x"], [], "z", None]))
    assert lists["label"].to_pylist() == [["x", "y"], [], ["z"], None]
    flags = examples(raw(text=["a"] * 3, z=["1", "0", ""], k=["1", "1.0", "false"]), label=["z", "k"])
    assert flags["label"].to_pylist() == [["k", "z"], ["k"], []]


def test_numbers_are_labels_and_spaces_are_kept() -> None:
    table = examples(raw(text=["a"] * 5, label=[1, True, " x ", "  ", "NaN"]))
    assert table["label"].to_pylist() == ["1", "true", " x ", None, None]


def test_nan_is_no_text() -> None:
    assert examples(raw(text=["a", float("nan"), "NaN", "none"], label=list("wxyz")))["text"].to_pylist() == [
        "a",
        None,
        None,
        "none",
    ]


@pytest.mark.parametrize(
    ("text", "label", "message"),
    [
        (["a", ["b"]], ["x", "y"], r"rows\.csv, row 3: Column 'text' holds a list where text is wanted: \[\"b\"\]"),
        (["a", 5], ["x", "y"], "holds a number where text is wanted: 5"),
        ([3, {"k": 1}], ["x", "y"], "row 2: .*a number.* 2 rows hold something else"),
        (["a", "b"], ["x", {"k": 1}], "row 3: Column 'label' holds an object"),
        (["a", "b"], [["x"], [["y"]]], "row 3: Column 'label' holds a list of something else"),
    ],
)
def test_cells_that_cannot_be_used(text: list[object], label: list[object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        examples(raw(text=text, label=label))


def test_a_flag_that_is_none() -> None:
    with pytest.raises(DataError, match="row 3: Column 'k' holds 'maybe', where 0 or 1"):
        examples(raw(text=["a", "b"], z=["1", "0"], k=["1", "maybe"]), label=["z", "k"])


def test_masking_changes_texts_and_no_ids() -> None:
    table = raw(text=["call 13812345678", "no"], label=["x", "y"], phone=["13812345678", ""])
    plain, masked = examples(table), examples(table, mask=["phone"])
    assert masked["text"].to_pylist() == masked["raw.text"].to_pylist() == ["call <PHONE>", "no"]
    assert masked["raw.phone"].to_pylist() == ["13812345678", ""]
    assert masked["row_id"].to_pylist() == plain["row_id"].to_pylist()
