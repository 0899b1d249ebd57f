"""Pairs of texts: their columns and their faults."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provetune.core.errors import DataError
from provetune.data.pair_texts import count_both_orders, find_pair, find_pair_faults, read_pair
from provetune.data.table import ROW, RawTable
from provetune.problem.syntax import Columns

LONG = ["The first sentence of this row is here.", "Another sentence stands in this one.", "And a third one at last."]


def table(**columns: list[str]) -> RawTable:
    count = len(next(iter(columns.values())))
    return RawTable(pa.table({**columns, ROW: pa.array(range(1, count + 1))}), "rows.csv", "csv")


def examples(rows: list[tuple[str, str, str | None]]) -> pa.Table:
    names = ("text", "text_pair", "label")
    columns = {name: pa.array([row[k] for row in rows], pa.string()) for k, name in enumerate(names)}
    return pa.table({**columns, "_file": ["rows.csv"] * len(rows), "_row": list(range(1, len(rows) + 1))})


def test_columns_are_found_by_their_names() -> None:
    raw = table(id=["1", "2", "3"], text_a=LONG, text_b=LONG[::-1], label=["0", "1", "0"])
    assert find_pair(raw, ["label"])[0] == ["text_a", "text_b"]
    raw = table(hypothesis=LONG, premise=LONG[::-1])
    assert find_pair(raw, [])[0] == ["premise", "hypothesis"]


def test_two_columns_of_like_texts_are_a_pair_whatever_they_are_called() -> None:
    found, why, called = find_pair(table(anchor=LONG, other=LONG[::-1], kind=["x", "y", "x"]), ["kind"])
    assert found == ["anchor", "other"]
    assert not called
    assert "only columns of texts" in why
    long = [text * 30 for text in LONG]
    assert find_pair(table(anchor=LONG, body=long), [])[0] is None


def test_both_texts_are_read() -> None:
    raw = table(text_a=["a", ""], text_b=["b", "c"])
    found = read_pair(raw, Columns(text=["text_a", "text_b"]))
    assert found["text"].to_pylist() == ["a", ""]
    assert found["text_pair"].to_pylist() == ["b", "c"]
    with pytest.raises(DataError, match="two columns"):
        read_pair(raw, Columns(text="text_a"))


def test_faults_name_their_rows() -> None:
    rows = [
        ("a b", "a b", "1"),
        ("a b", "c", "0"),
        ("c", "a b", "1"),
        ("d", " ", "0"),
        ("e", "f", "1"),
        ("f", "e", "1"),
        ("G h", "g  H ", "1"),
    ]
    found = {finding.kind: finding for finding in find_pair_faults({"train": examples(rows)})}
    assert set(found) == {"same_text_on_both_sides", "empty_side", "orders_disagree"}
    assert [place["row"] for place in found["same_text_on_both_sides"].rows] == [1, 7]
    assert [place["row"] for place in found["empty_side"].rows] == [4]
    assert found["orders_disagree"].count == 1
    assert [place["row"] for place in found["orders_disagree"].rows] == [2]
    assert "Of 2 pairs" in found["orders_disagree"].message


def test_orders_that_agree_are_a_note_over_all_splits() -> None:
    first, second = examples([("e", "f", "1")]), examples([("f", "e", "1")])
    (finding,) = find_pair_faults({"train": first, "test": second})
    assert (finding.kind, finding.severity, finding.count) == ("orders_agree", "note", 1)
    assert find_pair_faults({"train": first}) == []


letters = st.sampled_from("abc")


@given(st.lists(st.tuples(letters, letters, st.sampled_from(["0", "1", None])), max_size=12))
@settings(deadline=None)
def test_both_orders_are_counted_as_by_a_plain_loop(rows: list[tuple[str, str, str | None]]) -> None:
    first: dict[tuple[str, str], str] = {}
    for one, other, label in rows:
        if label is not None and one != other:
            first.setdefault((one, other), label)
    pairs = [(one, other) for one, other in first if one < other and (other, one) in first]
    different, count = count_both_orders(examples(rows))
    assert count == len(pairs)
    assert len(different) == sum(first[one, other] != first[other, one] for one, other in pairs)
