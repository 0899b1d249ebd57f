"""Drawing folds: every row is in exactly one, by the seed and the rows' content alone.

Rows that must not be parted (one group, equal texts) are one unit. Units are dealt out, the largest first, each to the
fold that has least of its labels, then to the one with the fewest rows; units of one size come in the order of a hash
of seed and row id. So folds are alike in labels and size as far as units allow (as in scikit-learn's
StratifiedGroupKFold, whose rule for a choice is another).

In round n, fold n is held out, fold n + 1 validates (the first after the last), and the others teach: each row is
held out once, validates once, and teaches in all other rounds.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provetune.core.errors import DataError
from provetune.core.seeds import derive
from provetune.data.drawing import Numbers, group_keys, label_strata
from provetune.data.examples import STRATUM
from provetune.data.folding import drawn_texts, fold
from provetune.data.row_ids import draw_numbers

Part = Literal["train", "validation", "test"]
PLACE = "data.split.folds"
_LEAST_PLACES = 3
"""Folds that a label must stand in, so that it is learned from in every round: two of them are set aside."""


@dataclass(frozen=True)
class Folds:
    """How the rows of a study are divided into folds.

    Attributes:
        count: how many there are.
        seed: of the draw.
        stratify: keep each label's share equal.
        group: file column whose equal values stay together.
    """

    count: int
    seed: int
    stratify: bool = True
    group: str | None = None

    def of_run(self, k: int) -> Folds:
        """The folds of the k-th run of every candidate: each run has its own, alike for all candidates."""
        return replace(self, seed=derive(self.seed, "folds", str(k)))

    def draw(self, examples: pa.Table) -> Numbers:
        """Which fold each row is in, (N,).

        Raises:
            DataError: there are too few rows, groups or rows of a label.
        """
        return _draw(examples, self)

    def part(self, examples: pa.Table, number: int, part: Part) -> pa.Table:
        """The rows that teach, validate or are held out in one round, in their order.

        Args:
            number: of the round, from 0.
        """
        return examples.filter(pa.array(self.mask(self.draw(examples), number, part)))

    def mask(self, codes: Numbers, number: int, part: Part) -> Numbers:
        """Which rows, of these folds, have a part in a round, bool (N,)."""
        held_out, validates = codes == number, codes == (number + 1) % self.count
        found: Numbers = {"test": held_out, "validation": validates, "train": ~(held_out | validates)}[part]
        return found

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def say_folds(examples: pa.Table, folds: Folds) -> str:
    """How rows were divided, in a sentence."""
    how = f"by '{folds.group}'" if folds.group else "at random"
    if folds.stratify and not folds.group and STRATUM not in examples.column_names:
        how = "with each label's share kept"
    return (
        f"Divided {examples.num_rows} rows into {folds.count} folds {how} with seed {folds.seed}, anew for each run: "
        "every row is held out once, by models that learned and were chosen without it."
    )


def _draw(examples: pa.Table, folds: Folds) -> Numbers:
    keys = group_keys(examples, folds.group) if folds.group else fold(drawn_texts(examples))
    units: Numbers = pc.dictionary_encode(keys.combine_chunks()).indices.to_numpy()
    count = int(units.max()) + 1 if len(units) else 0
    if count < folds.count:
        what = f"group of '{folds.group}'" if folds.group else "different text"
        raise DataError(
            f"{_counted(count, what)} cannot be divided into {folds.count} folds.",
            where=PLACE,
            hint="Set fewer folds, or add rows.",
        )
    rows, labels, names = _labels_of_rows(examples)
    if names is not None and folds.stratify and folds.group is None:
        _refuse_rare(units[rows], labels, names, folds.count)
    weights = labels if folds.stratify else np.zeros(len(labels), dtype=np.int64)
    # By group, units' hash comes from the group's name, as in `drawing.draw`; equal texts have that of their first row.
    lowest = np.full(count, np.iinfo(np.uint64).max, dtype=np.uint64)
    named = keys if folds.group else examples["row_id"]
    np.minimum.at(lowest, units, draw_numbers(named, folds.seed, "folds"))
    codes = _deal(np.bincount(units, minlength=count), lowest, units[rows], weights, folds.count)[units]
    if names is not None:
        _refuse_lacking(codes[rows], labels, names)
    return codes


def _deal(sizes: Numbers, numbers: Numbers, units: Numbers, labels: Numbers, count: int) -> Numbers:
    """The fold of each unit, (U,).

    Args:
        sizes, numbers: rows and draw number of each unit, (U,).
        units, labels: a unit and a label that it has, once for each row that has it, (P,).
    """
    totals = np.bincount(labels).astype(np.float64)
    order = np.argsort(units, kind="stable")
    ends = np.searchsorted(units[order], np.arange(len(sizes) + 1))
    held, filled = np.zeros((count, len(totals))), np.zeros(count)
    codes = np.empty(len(sizes), dtype=np.int64)
    for unit in np.lexsort((numbers, -sizes)):
        own, times = np.unique(labels[order[ends[unit] : ends[unit + 1]]], return_counts=True)
        likeness = np.round(held[:, own] @ (times / totals[own]), 9)
        chosen = int(np.lexsort((filled, likeness))[0])
        held[chosen, own] += times
        filled[chosen] += sizes[unit]
        codes[unit] = chosen
    return codes


def _labels_of_rows(examples: pa.Table) -> tuple[Numbers, Numbers, list[str] | None]:
    """A row and a label of it, (P,) each, once for every label a row has; the names, None where they are no classes."""
    column = examples["label"]
    listed = pa.types.is_list(column.type) and pa.types.is_string(column.type.value_type)
    if STRATUM in examples.column_names or not (listed or pa.types.is_string(column.type)):
        return np.arange(examples.num_rows), label_strata(examples), None
    flat = pc.list_flatten(column) if listed else column
    rows = pc.list_parent_indices(column).to_numpy() if listed else np.arange(examples.num_rows)
    names = pc.unique(flat).sort()
    labels = pc.index_in(flat, value_set=names).to_numpy().astype(np.int64)
    return rows, labels, names.to_pylist()


def _refuse_rare(units: Numbers, labels: Numbers, names: list[str], count: int) -> None:
    having = np.bincount(np.unique(np.stack([labels, units]), axis=1)[0], minlength=len(names))
    fewest = int(having.argmin())
    if having[fewest] < count:
        raise DataError(
            f"The label '{names[fewest]}' has {_counted(int(having[fewest]), 'different text')}, too few to be in each "
            f"of {count} folds.",
            where=PLACE,
            hint="Set fewer folds, merge labels with data.merge, or add rows.",
        )


def _counted(count: int, what: str) -> str:
    one, found, rest = what.partition(" of ")
    return f"{count} {one}{'' if count == 1 else 's'}{found}{rest}"


def _refuse_lacking(codes: Numbers, labels: Numbers, names: list[str]) -> None:
    places = np.bincount(np.unique(np.stack([labels, codes]), axis=1)[0], minlength=len(names))
    fewest = int(places.argmin())
    if places[fewest] < _LEAST_PLACES:
        raise DataError(
            f"The label '{names[fewest]}' stands in {_counted(int(places[fewest]), 'fold')} alone: with one fold held "
            "out and one validating, none would be left to learn it from.",
            where=PLACE,
            hint="Merge labels with data.merge, or add rows of it.",
        )
