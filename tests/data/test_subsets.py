"""So many rows of each label: drawn by seed and content, all of a label that has fewer, several labels by turns."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from provetune.core.errors import DataError
from provetune.data.subsets import count_subset, draw_subset, labels_short_of, subset_counts
from provetune.data.variants import apply_variant, count_learned_rows
from provetune.problem.syntax import CandidateData, Data, Subset

LABELS = st.lists(st.sampled_from("abcd"), min_size=1, max_size=60)
SEVERAL = st.lists(st.lists(st.sampled_from("abcd"), max_size=3, unique=True), min_size=1, max_size=40)


def rows(labels: list[str] | list[list[str]]) -> pa.Table:
    kind = pa.list_(pa.string()) if isinstance(labels[0], list) else pa.string()
    ids = [f"r{number}" for number in range(len(labels))]
    texts = [f"text {number}" for number in range(len(labels))]
    return pa.table({"row_id": ids, "text": texts, "label": pa.array(labels, kind)})


@settings(deadline=None)
@given(LABELS, st.integers(1, 8), st.integers(0, 3))
def test_each_label_has_so_many_or_all_it_has(labels: list[str], per_label: int, seed: int) -> None:
    table = rows(labels)
    drawn = draw_subset(table, per_label, seed)
    assert sorted(set(drawn.tolist())) == drawn.tolist()
    have = Counter(labels)
    assert Counter(labels[row] for row in drawn) == {name: min(per_label, count) for name, count in have.items()}
    assert count_subset(table, per_label) == len(drawn) == sum(subset_counts(list(have.values()), per_label))
    assert labels_short_of(table, per_label) == {n: c for n, c in sorted(have.items()) if c < per_label}


@settings(deadline=None)
@given(LABELS, st.integers(1, 6), st.integers(0, 3))
def test_a_smaller_subset_is_part_of_a_larger_one_whatever_the_order(labels: list[str], few: int, seed: int) -> None:
    table = rows(labels)
    small, large = (set(draw_subset(table, count, seed).tolist()) for count in (few, few + 2))
    assert small <= large
    turned = table.take(list(range(len(labels)))[::-1])
    assert {len(labels) - 1 - row for row in draw_subset(turned, few, seed).tolist()} == small


@settings(deadline=None)
@given(SEVERAL, st.integers(1, 5), st.integers(0, 3))
def test_of_several_labels_each_has_enough(labels: list[list[str]], per_label: int, seed: int) -> None:
    drawn = draw_subset(rows(labels), per_label, seed)
    have = Counter(name for each in labels for name in each)
    got = Counter(name for row in drawn for name in labels[row])
    assert all(got[name] >= min(per_label, count) for name, count in have.items())
    none = sum(not each for each in labels)
    assert sum(not labels[row] for row in drawn) == min(per_label, none)
    # No row too many: each is needed by a label that would else have too few, or was when it was drawn.
    assert len(drawn) <= sum(min(per_label, count) for count in have.values()) + min(per_label, none)


def test_the_rarest_label_is_drawn_first_by_hand() -> None:
    # "rare" stands with "common" in two rows: they serve both, and one more row of "common" is enough.
    labels = [["common", "rare"], ["common", "rare"], ["common"], ["common"], ["common"]]
    drawn = draw_subset(rows(labels), 3, 1)
    assert set(drawn.tolist()) >= {0, 1}
    assert len(drawn) == 3


def test_seeds_draw_other_rows() -> None:
    table = rows(["a", "b"] * 50)
    assert len({tuple(draw_subset(table, 4, seed).tolist()) for seed in range(10)}) > 5


def test_variants_draw_subsets_of_training_rows_alone() -> None:
    table, few = rows(["a", "b"] * 10), CandidateData(subset=Subset(per_label=3))
    assert apply_variant(table, few, "train", 5).num_rows == count_learned_rows(table, few) == 6
    assert apply_variant(table, few, "validation", 5).num_rows == 20
    assert few.draws
    assert few.part_of(20, 2) == pytest.approx(0.3)
    assert CandidateData(share=0.5).part_of(20, 2) == 0.5


def test_repetitions_go_before_the_draw() -> None:
    table = pa.table({"row_id": ["1", "2", "3"], "text": ["same", "Same", "other"], "label": ["a", "a", "b"]})
    few = CandidateData(deduplicate=True, subset=Subset(per_label=2))
    assert apply_variant(table, few, "train", 0)["row_id"].to_pylist() == ["1", "3"]


def test_labels_must_be_classes() -> None:
    with pytest.raises(DataError, match="no classes"):
        draw_subset(pa.table({"row_id": ["1"], "label": [0.5]}), 1, 0)


def test_share_and_subset_exclude_each_other() -> None:
    with pytest.raises(ValidationError, match="a share or a subset"):
        CandidateData(share=0.5, subset=Subset(per_label=2))
    with pytest.raises(ValidationError):
        Subset(per_label=0)


def test_what_is_not_there_is_not_written() -> None:
    assert "subset" not in CandidateData().model_dump()
    assert "subset" not in Data().model_dump()
    assert Data(subset=Subset(per_label=8)).model_dump()["subset"] == {"per_label": 8}
