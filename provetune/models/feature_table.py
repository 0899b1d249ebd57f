"""Features in memory, a column each: what the shared forward pass reads, for one window of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array


class FeatureTable:
    """The features of an Arrow table, fulfilling `provetune.core.protocols.FeatureColumns`.

    Args:
        table: ``row``, ``input_ids`` and the task's own columns, as `Task.encode` makes them.
    """

    def __init__(self, table: pa.Table) -> None:
        table = table.combine_chunks()
        self._rows = table.column("row").to_numpy()
        self._lists: dict[str, tuple[Array, Array]] = {}
        self._numbers: dict[str, Array] = {}
        for name in table.column_names:
            if name in ("row", "cut"):
                continue
            column = table.column(name).chunk(0)
            if hasattr(column, "offsets"):
                self._lists[name] = (column.values.to_numpy(), column.offsets.to_numpy())
            else:
                self._numbers[name] = column.to_numpy()
        self._lengths = self._numbers.get("length", np.diff(self._lists["input_ids"][1]))

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def lengths(self) -> Array:
        return self._lengths

    @property
    def rows(self) -> Array:
        return np.asarray(self._rows)

    def take(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        return [self._feature(index) for index in indices]

    def _feature(self, index: int) -> dict[str, Any]:
        lists = {name: values[offsets[index] : offsets[index + 1]] for name, (values, offsets) in self._lists.items()}
        return {**lists, **{name: values[index] for name, values in self._numbers.items()}}
