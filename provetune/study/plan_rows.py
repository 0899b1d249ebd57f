"""How many test rows a claim will rest on, told from the training and validation rows alone.

The test is sealed before a study as during it: its size is known, what stands in it is not. Shares of labels and of
slices are therefore those of the rows that may be looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from provetune.core.errors import DataError
from provetune.data.drawing import group_keys
from provetune.evaluation.outcomes import indicators, label_numbers
from provetune.evaluation.slices import slice_mask
from provetune.problem.scopes import Scope

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array
    from provetune.study.resolved import ResolvedStudy


class ExpectedRows:
    """Sizes of what claims are about, on the test rows of a study that has not been judged.

    Args:
        resolved: of its test rows only the number and the names of the columns are read.
    """

    def __init__(self, resolved: ResolvedStudy) -> None:
        self.test: int = resolved.splits.test.num_rows
        self._known: Sequence[pa.Table] = (resolved.splits.train, resolved.splits.validation)
        self._targets = resolved.targets
        data = resolved.problem.data
        group = data.columns.group or data.split.group
        self.group = group if group is not None and f"raw.{group}" in resolved.splits.test.column_names else None

    def of(self, scope: Scope) -> int:
        """Independent test rows (or groups) that a scope is expected to be about."""
        return round(self.test * self.share(scope) * self.group_share)

    def share(self, scope: Scope) -> float:
        """Share of the rows that a scope is about: its slice, and of a label's score the rows of that label."""
        kept = sum(int(self._concerned(table, scope).sum()) for table in self._known)
        rows = sum(int(table.num_rows) for table in self._known)
        return kept / max(1, rows)

    def balance(self) -> float:
        """What a mean over labels makes of the rows, above 0 and at most 1: C² / Σ(1 / share of label c).

        With labels of equal size, every row counts the same and nothing is lost; a rare label's few rows weigh as much
        as a frequent one's many, so that the mean is no surer than that of fewer rows.
        """
        counts = np.maximum(np.asarray(self._targets.counts, dtype=np.float64), 1.0)
        if len(counts) == 0:
            return 1.0
        return float(len(counts) ** 2 / (counts.sum() / counts).sum())

    @cached_property
    def group_share(self) -> float:
        """Groups a row; 1 where rows are independent."""
        if self.group is None:
            return 1.0
        tables = [table for table in self._known if f"raw.{self.group}" in table.column_names and table.num_rows]
        rows = sum(table.num_rows for table in tables)
        groups = sum(len(group_keys(table, self.group).unique()) for table in tables)
        return groups / rows if rows else 1.0

    def _concerned(self, table: pa.Table, scope: Scope) -> Array:
        kept = np.ones(table.num_rows, dtype=bool)
        if scope.conditions:
            try:
                kept = slice_mask(table, scope.conditions)
            except DataError:  # none of these rows is in the slice, or they lack the column
                return np.zeros(table.num_rows, dtype=bool)
        outside = self._targets.out_of_scope
        if scope.value is not None and scope.metric != "auc":
            kept = kept & self._has(table, scope.value)
        elif scope.metric == "out_of_scope_recall" and outside is not None:
            kept = kept & self._has(table, outside)
        elif scope.metric == "in_scope_accuracy" and outside is not None:
            kept = kept & ~self._has(table, outside)
        return kept

    def _has(self, table: pa.Table, label: str) -> Array:
        import pyarrow as pa

        column = table.column("label").combine_chunks()
        found: Array
        if pa.types.is_list(column.type) and pa.types.is_struct(column.type.value_type):
            import pyarrow.compute as pc

            # Spans of texts, each with a label.
            named = np.asarray(pc.equal(column.flatten().field("label"), label).to_numpy(zero_copy_only=False))
            found = np.zeros(len(column), dtype=bool)
            found[pc.list_parent_indices(column).to_numpy(zero_copy_only=False)[named]] = True
        elif pa.types.is_struct(column.type) or pa.types.is_floating(column.type):
            found = column.is_valid().to_numpy(zero_copy_only=False)  # numbers: every row has each
        elif pa.types.is_list(column.type):
            found = indicators(column, (label,))[:, 0]
        else:
            found = label_numbers(column, (label,)) == 0
        return found
