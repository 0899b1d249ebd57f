"""Faults that only data with numbers as labels have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import Finding

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array

FEW_VALUES = 10
FAR = 10.0
_SHOWN = 5


def find_value_faults(splits: Mapping[str, pa.Table]) -> list[Finding]:
    """Whole numbers of few kinds, numbers far from all others, and test rows outside of what training has."""
    train = splits.get("train")
    if train is None or len(train) == 0:
        return []
    found: list[Finding] = []
    for name, values in _numbers(train):
        found += [*_find_few(values, name), *_find_far(train, values, name)]
        found += _find_outside(values, name, splits)
    return found


def _find_few(values: Array, name: str) -> Iterator[Finding]:
    known = values[~np.isnan(values)]
    distinct = np.unique(known)
    if 0 < len(distinct) <= FEW_VALUES < len(known) and (distinct == np.round(distinct)).all():
        shown = ", ".join(f"{value:g}" for value in distinct)
        message = (
            f"{_column(name)} only the whole numbers {shown}: if they are steps of a scale, `task: ordinal` says one "
            "of them and how likely it is."
        )
        yield Finding("few_values", "note", len(known), message)


def _find_far(examples: pa.Table, values: Array, name: str) -> Iterator[Finding]:
    """Numbers more than ten times the interquartile range away from the middle half."""
    known = values[~np.isnan(values)]
    if len(known) < FEW_VALUES:
        return
    low, high = np.quantile(known, [0.25, 0.75])
    reach = FAR * (high - low)
    if reach == 0:
        return
    far = np.flatnonzero((values < low - reach) | (values > high + reach))
    if len(far):
        extreme = values[far[np.abs(values[far] - np.median(known)).argmax()]]
        message = (
            f"{_column(name)} numbers far from all others, e.g. {extreme:g} where half of the rows lie between {low:g} "
            f"and {high:g}. Errors there outweigh all else; correct them, or set options.loss: huber."
        )
        yield Finding("far_values", "warning", len(far), message, _places(examples, far))


def _find_outside(values: Array, name: str, splits: Mapping[str, pa.Table]) -> Iterator[Finding]:
    if np.isnan(values).all():
        return
    low, high = np.nanmin(values), np.nanmax(values)
    for split, table in splits.items():
        if split == "train":
            continue
        others = dict(_numbers(table)).get(name)
        if others is None:
            continue
        outside = np.flatnonzero((others < low) | (others > high))
        if len(outside):
            message = (
                f"{_column(name)} numbers in {split} outside of what training has ({low:g} to {high:g}); a model can "
                "hardly say those."
            )
            yield Finding("values_outside_training", "note", len(outside), message, _places(table, outside))


def _numbers(examples: pa.Table) -> list[tuple[str, Array]]:
    """Each number's name (empty where there is one) and its values, NaN where there is none."""
    import pyarrow as pa

    column = examples.column("label").combine_chunks()
    if pa.types.is_struct(column.type):
        parts = [(field.name, column.field(field.name)) for field in column.type]
    else:
        parts = [("", column)]
    missing = ~np.asarray(column.is_valid().to_numpy(zero_copy_only=False))
    found = []
    for name, part in parts:
        values = np.array(part.to_numpy(zero_copy_only=False), dtype=np.float64)
        values[missing] = np.nan
        found.append((name, values))
    return found


def _column(name: str) -> str:
    return f"'{name}' has" if name else "The label has"


def _places(examples: pa.Table, rows: Array) -> tuple[Mapping[str, Any], ...]:
    if not {"_file", "_row"} <= set(examples.column_names):
        return ()
    shown = examples.select(["_file", "_row"]).take(rows[:_SHOWN]).to_pylist()
    return tuple({"file": place["_file"], "row": place["_row"]} for place in shown)
