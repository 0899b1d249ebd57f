"""Halves of validation: disjoint, whole groups, the same every time."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from provetune.compression.rows import evenly_spread, first_half, group_column, halve


def table(count: int, **columns: list[str]) -> pa.Table:
    return pa.table(
        {
            "row_id": [f"{number:032x}" for number in range(count)],
            "text": [f"text {number}" for number in range(count)],
            "label": ["a"] * count,
            **columns,
        }
    )


def ids(rows: pa.Table) -> set[str]:
    return set(rows.column("row_id").to_pylist())


def test_halves_are_disjoint_and_equal() -> None:
    whole = table(101)
    tuning, calibration = halve(whole)
    assert ids(tuning) & ids(calibration) == set()
    assert ids(tuning) | ids(calibration) == ids(whole)
    assert abs(tuning.num_rows - calibration.num_rows) <= 1


def test_halves_do_not_depend_on_the_order_of_rows() -> None:
    whole = table(60)
    turned = whole.take(list(range(59, -1, -1)))
    assert ids(halve(whole)[0]) == ids(halve(turned)[0])


def test_groups_stay_whole() -> None:
    groups = [f"g{number % 7}" for number in range(70)]
    tuning, calibration = halve(table(70, **{"raw.customer": groups}), "customer")
    apart = set(tuning.column("raw.customer").to_pylist()), set(calibration.column("raw.customer").to_pylist())
    assert apart[0] & apart[1] == set()
    assert apart[0]
    assert apart[1]


def test_equal_texts_stay_together() -> None:
    whole = table(40)
    texts = [f"Text {number // 2}" for number in range(40)]
    whole = whole.set_column(1, "text", pa.array(texts))
    tuning, calibration = halve(whole)
    assert set(tuning.column("text").to_pylist()) & set(calibration.column("text").to_pylist()) == set()


@given(st.lists(st.integers(0, 6), min_size=1, max_size=60))
def test_units_are_never_parted(keys: list[int]) -> None:
    units = np.unique(keys, return_inverse=True)[1]
    numbers = np.random.default_rng(0).integers(0, 2**63, len(keys)).astype(np.uint64)
    half = first_half(units, numbers)
    for unit in set(units.tolist()):
        assert len(set(half[units == unit].tolist())) == 1
    largest = max(np.bincount(units))
    assert abs(int(half.sum()) - len(keys) / 2) <= largest / 2 + 0.5


def test_group_column_must_be_there() -> None:
    record = {"problem": {"data": {"split": {"group": "customer"}}}}
    assert group_column(record, ["raw.customer"]) == "customer"
    assert group_column(record, ["text"]) is None
    assert group_column({}, ["raw.customer"]) is None


def test_evenly_spread() -> None:
    assert evenly_spread(table(10), 5).column("text").to_pylist() == [f"text {n}" for n in (0, 2, 4, 6, 8)]
    assert evenly_spread(table(3), 5).num_rows == 3
