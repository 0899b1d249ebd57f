"""Queries and documents of rows that pair them: which texts are the same, and which documents answer a query.

A row has a query (``text``) and, where it is known, a document that answers it (``text_pair``). Documents that do not
answer it may stand in ``negatives``, and documents that are only there to be found in ``corpus``. Texts are the same
when their letters are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array

ABSENT = -1
LISTS = ("negatives", "corpus")


@dataclass(frozen=True, eq=False)
class Documents:
    """The different texts of N rows.

    Attributes:
        texts: the M documents, in the order in which rows first have them.
        seen: the row that first has each document, (M,), ascending.
        own: number of the document that answers each row's query (N,), -1 where none is known.
        asked: number of each row's query (N,), -1 where it has none; the first row that has a query numbers it.
    """

    texts: tuple[str, ...]
    seen: Array
    own: Array
    asked: Array

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def first_rows(self) -> Array:
        """The row in which each different query comes first, (Q,), ascending."""
        numbers, rows = np.unique(self.asked, return_index=True)
        return np.asarray(rows[numbers != ABSENT])

    @cached_property
    def right(self) -> list[Array]:
        """Numbers of the documents that answer each different query, ascending; Q arrays, some may be empty."""
        paired = (self.asked != ABSENT) & (self.own != ABSENT)
        pairs = np.unique(np.stack([self.asked[paired], self.own[paired]], axis=1), axis=0)
        bounds = np.searchsorted(pairs[:, 0], np.arange(len(self.first_rows) + 1))
        return [pairs[start:stop, 1] for start, stop in pairwise(bounds)]


def find_documents(examples: pa.Table) -> Documents:
    """The documents and queries of rows.

    Args:
        examples: ``text`` and, where rows have them, ``text_pair``, ``negatives`` and ``corpus`` (lists of strings);
            empty and null texts are none.
    """
    asked, _ = number_texts(examples.column("text"))
    texts: list[pa.Array] = []
    rows: list[Array] = []
    if "text_pair" in examples.column_names:
        texts.append(examples.column("text_pair").combine_chunks())
        rows.append(np.arange(len(examples)))
    for name in (name for name in LISTS if name in examples.column_names):
        flat, parents = _flatten(examples.column(name))
        texts.append(flat)
        rows.append(parents)
    if not texts:
        return Documents((), np.zeros(0, np.int64), np.full(len(examples), ABSENT), asked)
    import pyarrow as pa

    # In the order of the rows; within one the answer comes first, since the sort is stable.
    holders = np.concatenate(rows)
    order = np.argsort(holders, kind="stable")
    numbers, names = number_texts(pa.chunked_array([pa.concat_arrays(texts).take(pa.array(order))]))
    _, first = np.unique(numbers[numbers != ABSENT], return_index=True)
    own = np.full(len(examples), ABSENT)
    if "text_pair" in examples.column_names:
        back = np.empty_like(numbers)
        back[order] = numbers
        own = back[: len(examples)]
    return Documents(names, holders[order][numbers != ABSENT][first], own, asked)


def number_texts(column: pa.ChunkedArray) -> tuple[Array, tuple[str, ...]]:
    """Numbers of a column's different texts by their first place (N,), -1 for none, and the texts in that order."""
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = column.combine_chunks().cast(pa.string())
    filled = pc.if_else(pc.equal(whole, ""), pa.scalar(None, pa.string()), whole)
    encoded = pc.dictionary_encode(filled)
    numbers = pc.fill_null(encoded.indices, ABSENT).to_numpy(zero_copy_only=False)
    return np.asarray(numbers, dtype=np.int64), tuple(encoded.dictionary.to_pylist())


def _flatten(column: pa.ChunkedArray) -> tuple[pa.Array, Array]:
    """The texts of a column of lists, and the row of each."""
    import pyarrow.compute as pc

    lists = column.combine_chunks()
    parents = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    return pc.list_flatten(lists), np.asarray(parents, dtype=np.int64)
