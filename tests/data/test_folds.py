"""Folds: every row in one of them, labels and sizes alike, groups and equal texts together, the same every time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provetune.core.errors import DataError
from provetune.data.folds import PLACE, Folds, say_folds


def table(
    labels: Sequence[Any], texts: Sequence[str] | None = None, groups: Sequence[str] | None = None, kind: Any = None
) -> pa.Table:
    count = len(labels)
    columns = {
        "row_id": [f"id-{number:04d}" for number in range(count)],
        "text": list(texts or (f"text {number}" for number in range(count))),
        "label": pa.array(labels, kind or pa.string()),
    }
    return pa.table({**columns, **({} if groups is None else {"raw.customer": list(groups)})})


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=60),
    st.integers(3, 10),
    st.integers(0, 5),
)
def test_labels_and_sizes_are_alike_in_all_folds(more: list[int], count: int, seed: int) -> None:
    labels = [name for name in "abcd" for _ in range(count)] + ["abcd"[number] for number in more]
    codes = Folds(count, seed).draw(table(labels))
    assert set(codes) == set(range(count))
    for label in "abcd":
        each = np.bincount(codes[np.array(labels) == label], minlength=count)
        assert each.max() - each.min() <= 1
    sizes = np.bincount(codes, minlength=count)
    assert sizes.max() - sizes.min() <= 4  # one a label at most


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 11), st.sampled_from("ab")), min_size=40, max_size=80), st.integers(0, 3))
def test_groups_stay_together(rows: list[tuple[int, str]], seed: int) -> None:
    rows = [*rows, *((group, label) for group in range(12) for label in "ab")]
    groups = [f"c{group}" for group, _ in rows]
    codes = Folds(5, seed, group="customer").draw(table([label for _, label in rows], groups=groups))
    places = {group: {int(code) for code, one in zip(codes, groups, strict=True) if one == group} for group in groups}
    assert all(len(found) == 1 for found in places.values())
    assert set(codes) == set(range(5))


def test_equal_texts_stay_together_whatever_their_case() -> None:
    texts = [f"text {number % 20}" if number % 2 else f" TEXT  {number % 20} " for number in range(60)]
    codes = Folds(4, 13).draw(table(["a"] * 60, texts))
    for number in range(20):
        assert len({int(codes[row]) for row in range(60) if row % 20 == number}) == 1


def test_each_row_is_held_out_once_validates_once_and_teaches_otherwise() -> None:
    examples = table(["a", "b"] * 20)
    folds = Folds(5, 13)
    parts = [
        Counter(folds.part(examples, n, part)["row_id"].to_pylist())
        for part in ("test", "validation", "train")
        for n in range(5)
    ]
    ids = examples["row_id"].to_pylist()
    assert sum(parts[:5], Counter()) == Counter(ids)
    assert sum(parts[5:10], Counter()) == Counter(ids)
    assert sum(parts[10:], Counter()) == Counter(dict.fromkeys(ids, 3))
    for number in range(5):
        assert not parts[number] & parts[5 + number]
        assert not parts[number] & parts[10 + number]
        assert not parts[5 + number] & parts[10 + number]
        assert parts[5 + number] == parts[(number + 1) % 5]


def test_the_draw_hangs_on_seed_run_and_content_alone() -> None:
    examples = table(["a", "b"] * 20)
    folds = Folds(5, 13)
    first = folds.of_run(0).draw(examples)
    assert (folds.of_run(0).draw(examples) == first).all()
    assert (folds.of_run(1).draw(examples) != first).any()
    assert (Folds(5, 14).of_run(0).draw(examples) != first).any()
    order = np.random.default_rng(0).permutation(40)
    assert (folds.of_run(0).draw(examples.take(order)) == first[order]).all()


def test_without_stratification_labels_are_not_looked_at() -> None:
    one = Folds(4, 13, stratify=False)
    rows = table(["a", "b"] * 20)
    other = table(["b", "b", "a", "a"] * 10)
    assert (one.draw(rows) == one.draw(other)).all()


def test_several_labels_a_row_are_all_shared_out() -> None:
    labels = [["rare", "often"] if number % 4 == 0 else ["often"] for number in range(40)]
    codes = Folds(5, 13).draw(table(labels, kind=pa.list_(pa.string())))
    rare = np.array([len(each) == 2 for each in labels])
    assert np.bincount(codes[rare], minlength=5).tolist() == [2, 2, 2, 2, 2]
    assert np.bincount(codes, minlength=5).tolist() == [8, 8, 8, 8, 8]


def test_numbers_need_no_label_in_every_fold() -> None:
    codes = Folds(5, 13).draw(table([float(number) for number in range(23)], kind=pa.float64()))
    assert sorted(np.bincount(codes)) == [4, 4, 5, 5, 5]


@pytest.mark.parametrize(
    ("labels", "texts", "groups", "said"),
    [
        (["a", "b"], None, None, "2 different texts cannot be divided into 5 folds"),
        (["a"] * 9, ["same"] * 9, None, "1 different text cannot"),
        (["a"] * 9, None, ["x", "y", "z"] * 3, "3 groups of 'customer' cannot be divided into 5 folds"),
        (["a"] * 20 + ["b"] * 4, None, None, "label 'b' has 4 different texts, too few"),
        (["a"] * 20 + ["b"] * 6, [f"t{n}" for n in range(20)] + ["u", "v"] * 3, None, "'b' has 2 different texts"),
        (["a"] * 20 + ["b"] * 6, None, [f"g{n % 8}" for n in range(20)] + ["x", "y"] * 3, "stands in 2 folds alone"),
    ],
)
def test_too_few_are_refused(labels: list[str], texts: Any, groups: Any, said: str) -> None:
    with pytest.raises(DataError) as refused:
        Folds(5, 13, group=None if groups is None else "customer").draw(table(labels, texts, groups))
    assert said in str(refused.value)
    assert refused.value.where == PLACE


def test_a_label_in_two_folds_alone_is_refused_without_stratification_too() -> None:
    with pytest.raises(DataError, match="stands in 1 fold alone"):
        Folds(3, 13, stratify=False).draw(table(["a"] * 20 + ["b"]))


def test_how_rows_were_divided_is_said() -> None:
    assert say_folds(table(["a"] * 20), Folds(5, 13)) == (
        "Divided 20 rows into 5 folds with each label's share kept with seed 13, anew for each run: every row is held "
        "out once, by models that learned and were chosen without it."
    )
    assert "by 'customer'" in say_folds(table(["a"] * 20), Folds(5, 13, group="customer"))
