"""Whether a claim or level about some of the rows is about any test row at all, told before anything is trained.

Raw columns and labels of the test rows are looked at, as `check` does; no prediction exists yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from provetune.core.errors import UsageError
from provetune.problem.scopes import Scope

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array

_SHOWN_VALUES = 8
# Of a label that no row has, precision still says something: how often it is given wrongly.
_OF_GOLD_ROWS = ("recall", "f1")
_CLASSES = ("single_label", "multi_label", "ordinal")


def check_rows(scope: Scope, test: pa.Table, kind: str, where: str | None) -> None:
    """Refuse a scope that no test row is about.

    Args:
        scope: its label and columns are known to be there.
        kind: form of the labels (`provetune.core.protocols.Targets`); only where they are classes are they counted.
        where: place in the problem file.

    Raises:
        UsageError: no test row is in the slice, or none of them has the label; says which values there are.
    """
    kept = np.ones(test.num_rows, dtype=bool)
    for column, value in scope.conditions:
        kept &= _equal(test.column(f"raw.{column}"), value)
    if not kept.any():
        listed = ", ".join(f"{column}={value}" for column, value in scope.conditions)
        raise UsageError(f"No test row has {listed}.", where=where, hint=_values(scope, test))
    if scope.value is None or scope.metric not in _OF_GOLD_ROWS or kind not in _CLASSES:
        return
    if not (kept & _has(test, scope.value)).any():
        slice_words = " in this slice" if scope.conditions else ""
        raise UsageError(
            f"No test row has the label '{scope.value}'{slice_words}, so its {scope.metric} cannot be judged.",
            where=where,
            hint="Give a test file that has some, or leave it out.",
        )


def _equal(column: pa.ChunkedArray, value: str) -> Array:
    import pyarrow.compute as pc

    return np.asarray(pc.fill_null(pc.equal(column, value), False).to_numpy(), dtype=bool)


def _has(test: pa.Table, label: str) -> Array:
    """Rows that have a label, (N,), whether they have one or several."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column = test.column("label")
    if not pa.types.is_list(column.type):
        return _equal(column, label)
    parents = pc.list_parent_indices(column).to_numpy()
    found = np.zeros(test.num_rows, dtype=bool)
    found[parents[_equal(pc.list_flatten(column), label)]] = True
    return found


def _values(scope: Scope, test: pa.Table) -> str:
    """The values of the first column in which a condition finds nothing by itself, or what to do instead."""
    import pyarrow.compute as pc

    for column, value in scope.conditions:
        known = test.column(f"raw.{column}")
        if _equal(known, value).any():
            continue
        counted = sorted(pc.value_counts(known.drop_null()).to_pylist(), key=lambda one: -one["counts"])
        listed = ", ".join(f"{one['values']} ({one['counts']})" for one in counted[:_SHOWN_VALUES])
        return f"Values of '{column}' and their test rows: {listed}{', …' if len(counted) > _SHOWN_VALUES else ''}."
    return "Each value is there, but no row has them together."
