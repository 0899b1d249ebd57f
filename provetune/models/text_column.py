"""The texts of a table without a copy of them all: made into strings a few thousand at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, overload

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

_AT_ONCE = 4096


class TextColumn(Sequence[str]):
    """What a method reads of each example: its text, and of a pair both on two lines.

    Iterating holds no more than some thousand strings; a slice without a step shares the table's memory.
    """

    def __init__(self, examples: pa.Table) -> None:
        self.table = examples.select([name for name in ("text", "text_pair") if name in examples.column_names])

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> TextColumn: ...
    def __getitem__(self, at: int | slice) -> str | TextColumn:
        if isinstance(at, slice):
            start, stop, step = at.indices(len(self))
            if step == 1:
                return TextColumn(self.table.slice(start, max(0, stop - start)))
            return TextColumn(self.table.take(np.arange(start, stop, step)))
        if not -len(self) <= at < len(self):
            raise IndexError(f"There are {len(self)} texts. Got {at} instead.")
        return _joined(self.table.slice(at % len(self), 1))[0]

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), _AT_ONCE):
            yield from _joined(self.table.slice(start, _AT_ONCE))


def _joined(examples: pa.Table) -> list[str]:
    texts: list[str] = examples.column("text").to_pylist()
    if "text_pair" not in examples.column_names:
        return texts
    pairs: list[str] = examples.column("text_pair").to_pylist()
    return [f"{text}\n{pair}" for text, pair in zip(texts, pairs, strict=True)]
