"""Drawing splits: which row goes where depends on the seed and the rows' content alone.

Every row gets a number from the hash of seed and row id, and the rows with the lowest numbers go to the test,
the next to validation. Rows that must not be parted (one group, one moment, equal texts) are drawn as one unit:
a text that stands in training and test alike would make the test too easy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provetune.core.errors import DataError
from provetune.data.examples import RAW_PREFIX, STRATUM
from provetune.data.folding import drawn_texts, fold
from provetune.data.row_ids import draw_numbers, label_keys
from provetune.data.times import parse_times

Numbers = np.ndarray[Any, np.dtype[Any]]
TRAIN, VALIDATION, TEST = 0, 1, 2


def draw(
    examples: pa.Table,
    shares: tuple[float, float],
    *,
    seed: int,
    stratify: bool,
    group: str | None = None,
    time: str | None = None,
) -> Numbers:
    """Where each row goes: 0 train, 1 validation, 2 test, (N,).

    Args:
        examples: as made by `to_examples`; all have a text and a label.
        shares: of the validation and the test rows; 0 for a split that is not wanted.
        stratify: keep each label's share in all splits.
        group: file column whose equal values stay together; the draw is then of groups.
        time: file column with a time: the latest rows are the test, those before them validation. With `group`,
            a group stands where its latest row stands.

    Raises:
        DataError: a wanted split would be empty.
    """
    units = _group_units(examples, group) if group else _text_units(examples)
    if time:
        units, order = _by_time(examples, time, units if group else None)
        codes = allot(np.bincount(units)[order], *shares, fixed=True)
        return _checked(_spread(codes, order)[units], shares, f"the values of '{time}'")
    count = int(units.max()) + 1
    sizes = np.bincount(units, minlength=count)
    numbers = np.full(count, np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(numbers, units, _row_numbers(examples, group, seed))
    labels = label_strata(examples) if stratify else np.zeros(len(units), dtype=np.int64)
    if group:
        order = np.argsort(numbers, kind="stable")
        codes = _spread(allot(sizes[order], *shares), order)
        if stratify:
            _bring_labels_to_training(codes, units, labels, numbers)
        return _checked(codes[units], shares, f"the groups of '{group}'")
    strata = np.full(count, np.iinfo(np.int64).max)
    np.minimum.at(strata, units, labels)
    return _checked(_draw_strata(sizes, numbers, strata, shares)[units], shares, "the texts")


def allot(sizes: Numbers, validation: float, test: float, *, fixed: bool = False) -> Numbers:
    """Cut units in this order into test, validation and training, (U,).

    A unit goes where its middle row falls. Every wanted split gets a unit as long as there are enough: two
    units serve training and test, a single one training.

    Args:
        sizes: rows of each unit, (U,).
        fixed: the order means something (time), so that nothing is moved to fill an empty split.
    """
    total = int(sizes.sum())
    quotas = {TEST: _quota(total, test), VALIDATION: _quota(total, validation)}
    if not fixed and len(sizes) <= sum(quota > 0 for quota in quotas.values()):
        quotas[VALIDATION if quotas[TEST] else TEST] = 0
    if len(sizes) == 1:
        return np.zeros(1, dtype=np.int8)
    # A unit that alone would overfill a split comes last, so that the others fill it.
    limit = min((quota for quota in quotas.values() if quota), default=0)
    order = np.arange(len(sizes)) if fixed else np.argsort((sizes > 1) & (2 * sizes > limit), kind="stable")
    middle = np.cumsum(sizes[order]) - sizes[order] / 2
    codes = np.zeros(len(sizes), dtype=np.int8)
    codes[order[middle < quotas[TEST] + quotas[VALIDATION]]] = VALIDATION
    codes[order[middle < quotas[TEST]]] = TEST
    if not fixed:
        _fill_empty(codes, sizes, [TRAIN, *(split for split, quota in quotas.items() if quota)])
    return codes


def _quota(total: int, share: float) -> int:
    return max(1, int(total * share + 0.5)) if share > 0 else 0


def _fill_empty(codes: Numbers, sizes: Numbers, wanted: list[int]) -> None:
    for split in wanted:
        if (codes == split).any():
            continue
        counts = np.bincount(codes, minlength=3)
        giver = int(np.argmax(counts))
        if counts[giver] > 1:
            own = np.flatnonzero(codes == giver)
            codes[own[np.argmin(sizes[own])]] = split


def _draw_strata(sizes: Numbers, numbers: Numbers, strata: Numbers, shares: tuple[float, float]) -> Numbers:
    order = np.lexsort((numbers, strata))
    codes = np.zeros(len(sizes), dtype=np.int8)
    ends = np.flatnonzero(np.diff(strata[order])) + 1
    for members in np.split(order, ends):
        codes[members] = allot(sizes[members], *shares)
    return codes


def _spread(codes: Numbers, order: Numbers) -> Numbers:
    placed = np.empty_like(codes)
    placed[order] = codes
    return placed


def _text_units(examples: pa.Table) -> Numbers:
    return _numbered(fold(drawn_texts(examples)))


def _group_units(examples: pa.Table, group: str) -> Numbers:
    return _numbered(group_keys(examples, group))


def group_keys(examples: pa.Table, group: str) -> pa.ChunkedArray:
    """Group of each row; a row without one is a group of its own."""
    cells = examples[RAW_PREFIX + group]
    alone = pc.binary_join_element_wise("\x1d", examples["row_id"], "")
    return pc.if_else(pc.fill_null(pc.equal(cells, ""), True), alone, pc.fill_null(cells, ""))


def _numbered(keys: pa.ChunkedArray) -> Numbers:
    codes: Numbers = pc.dictionary_encode(keys.combine_chunks()).indices.to_numpy()
    return codes


def _row_numbers(examples: pa.Table, group: str | None, seed: int) -> Numbers:
    keys = group_keys(examples, group) if group else examples["row_id"]
    return draw_numbers(keys, seed, "split")


def label_strata(examples: pa.Table) -> Numbers:
    """A number for each row's label, in the order of names; of several labels the rarest counts.

    Where labels are no classes, the task's ``stratum`` stands for them, or all rows are alike.
    """
    if STRATUM in examples.column_names:
        return _sorted_codes(pc.fill_null(examples[STRATUM], ""))
    labels = examples["label"]
    listed = pa.types.is_list(labels.type) and pa.types.is_string(labels.type.value_type)
    if not listed and not pa.types.is_string(labels.type):
        return np.zeros(examples.num_rows, dtype=np.int64)
    if not pa.types.is_list(labels.type):
        return _sorted_codes(label_keys(labels))
    flat = pc.list_flatten(labels)
    names = pc.unique(flat).sort()
    frequency = np.bincount(pc.index_in(flat, names).to_numpy(), minlength=len(names))
    # 0 stands for rows without any label; then the rarest label first.
    rank = np.empty(len(names), dtype=np.int64)
    rank[np.argsort(frequency, kind="stable")] = np.arange(1, len(names) + 1)
    found = np.full(len(labels), np.iinfo(np.int64).max)
    np.minimum.at(found, pc.list_parent_indices(labels).to_numpy(), rank[pc.index_in(flat, names).to_numpy()])
    return np.where(found == np.iinfo(np.int64).max, 0, found)


def ids_and_strata(examples: pa.Table) -> pa.Table:
    """The columns of the examples that a draw goes by."""
    return examples.select([name for name in ("row_id", "label", STRATUM) if name in examples.column_names])


def _sorted_codes(values: pa.ChunkedArray) -> Numbers:
    codes: Numbers = pc.index_in(values, pc.unique(values).sort()).to_numpy().astype(np.int64)
    return codes


def _bring_labels_to_training(codes: Numbers, units: Numbers, labels: Numbers, numbers: Numbers) -> None:
    """Move the smallest group that has a label which no training group has; of equal ones the first drawn."""
    sizes = np.bincount(units, minlength=len(codes))
    for label in np.setdiff1d(labels, labels[codes[units] == TRAIN]):
        having = np.unique(units[labels == label])
        if not (codes[having] == TRAIN).any():
            codes[having[np.lexsort((numbers[having], sizes[having]))[0]]] = TRAIN


def _by_time(examples: pa.Table, time: str, groups: Numbers | None) -> tuple[Numbers, Numbers]:
    """Units that share a moment, or groups, and their order from the latest to the earliest."""
    moments = parse_times(examples[RAW_PREFIX + time], time, place_of(examples))
    if groups is None:
        values, units = np.unique(moments, return_inverse=True)
        return units, np.arange(len(values))[::-1]
    latest = np.full(int(groups.max()) + 1, np.iinfo(np.int64).min)
    np.maximum.at(latest, groups, moments)
    values, units = np.unique(latest[groups], return_inverse=True)
    return units, np.arange(len(values))[::-1]


def place_of(examples: pa.Table) -> Callable[[int], str]:
    """Where the i-th example stands, for errors."""
    return lambda number: f"{examples['_file'][number].as_py()}, row {examples['_row'][number].as_py()}"


def _checked(codes: Numbers, shares: tuple[float, float], what: str) -> Numbers:
    present = set(np.unique(codes).tolist())
    wanted = {TRAIN: 1.0, VALIDATION: shares[0], TEST: shares[1]}
    names = {TRAIN: "train", VALIDATION: "validation", TEST: "test"}
    empty = [names[split] for split, share in wanted.items() if share > 0 and split not in present]
    if empty:
        raise DataError(
            f"{len(codes)} rows cannot be divided by {what}: nothing would be left for {' and '.join(empty)}.",
            hint="Add rows, change data.split, or name files for the other splits.",
        )
    return codes
