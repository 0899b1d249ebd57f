"""Corrected labels, rows left out, labels read as one: worked out by hand."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from provetune.data.label_merging import merge_labels
from provetune.data.variants import apply_variant, corrections_of, count_learned_rows
from provetune.problem.syntax import CandidateData, Data

ROWS = pa.table(
    {
        "row_id": ["r0", "r1", "r2", "r3"],
        "text": ["late", "refund", "late", "code"],
        "label": pa.array(["login", "billing", "delivery", "login"], pa.string()),
    }
)


def learned(**section: object) -> list[tuple[str, str]]:
    table = apply_variant(ROWS, CandidateData.model_validate(section), "train", 1)
    return list(zip(table["row_id"].to_pylist(), table["label"].to_pylist(), strict=True))


def test_labels_are_corrected_and_rows_without_one_left_out() -> None:
    rows = learned(corrections={"r0": "delivery", "r1": None, "nobody": "login"})
    assert rows == [("r0", "delivery"), ("r2", "delivery"), ("r3", "login")]


def test_repetitions_are_sought_after_labels_are_corrected() -> None:
    assert len(learned(deduplicate=True)) == 4
    assert learned(deduplicate=True, corrections={"r0": "delivery"}) == [
        ("r0", "delivery"),
        ("r1", "billing"),
        ("r3", "login"),
    ]


@pytest.mark.parametrize("split", ["validation", "test"])
def test_rows_that_are_judged_on_stay(split: str) -> None:
    section = CandidateData(corrections={"r0": "delivery", "r1": None})
    assert apply_variant(ROWS, section, split, 1).equals(ROWS)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.sampled_from(["r0", "r1", "r2", "r3", "x"]), st.sampled_from(["login", "billing", None])))
def test_the_count_is_that_of_the_rows(found: dict[str, str | None]) -> None:
    section = CandidateData(corrections=found)
    assert count_learned_rows(ROWS, section) == apply_variant(ROWS, section, "train", 1).num_rows
    assert corrections_of(section) == found


def test_a_file_must_have_been_read() -> None:
    with pytest.raises(ValueError, match="were not read"):
        learned(corrections="rows.csv")


def test_labels_are_read_as_one() -> None:
    single = pa.chunked_array([["a", "b", None], ["c"]])
    assert merge_labels(single, {"ab": ["a", "b"]}).to_pylist() == ["ab", "ab", None, "c"]
    several = pa.chunked_array([pa.array([["b", "a"], [], None, ["c", "b"]], pa.list_(pa.string()))])
    assert merge_labels(several, {"ab": ["a", "b"]}).to_pylist() == [["ab"], [], None, ["c", "ab"]]
    assert merge_labels(single, {}) is single


def test_a_label_is_merged_once() -> None:
    with pytest.raises(ValidationError, match="name each label once"):
        Data(merge={"x": ["a", "b"], "y": ["b", "c"]})
    assert "merge" not in Data().model_dump()
    assert "corrections" not in CandidateData().model_dump()
