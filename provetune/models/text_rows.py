"""Many texts' n-gram counts in three bytes an entry, weighted block by block when they are used.

A float32 CSR matrix takes eight bytes an entry and, while it is built, three times as many. A million short rows have
some 160 million entries. Here an entry is its column (two bytes up to 65,536 terms) and its count (one byte, nearly
always); the weights follow from those, the idf and one length a row, quicker than the products that they go into.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.models.ngrams import Vectoriser

if TYPE_CHECKING:
    from provetune.core.protocols import Array


@dataclass(frozen=True)
class _Chunk:
    """Some rows. A segment is what one row has of one vectoriser; segments lie row after row.

    Attributes:
        columns: of the entries, ascending in each row.
        counts: of the entries.
        bounds: where each segment begins, and the end: (rows · vectorisers + 1,), int32.
        scales: one over the length of each segment, float32.
    """

    columns: Array
    counts: Array
    bounds: Array
    scales: Array


class TextRows:
    """Texts counted by fitted vectorisers: what `stack` gives, to single precision, for less memory.

    Attributes:
        shape: (N, sum of D).
    """

    def __init__(self, vectorisers: Sequence[Vectoriser], chunks: Sequence[_Chunk]) -> None:
        self.vectorisers = tuple(vectorisers)
        self.chunks = tuple(chunks)
        self.idf = np.concatenate([each.idf for each in self.vectorisers])
        rows = sum(len(chunk.scales) for chunk in self.chunks) // len(self.vectorisers)
        self.shape = (rows, len(self.idf))

    def blocks(self) -> Iterator[tuple[slice, Any]]:
        """The rows in blocks: where they are, and they as a CSR matrix (rows, sum of D), float32."""
        from scipy.sparse import csr_matrix

        at = 0
        for chunk in self.chunks:
            data = _weights(chunk, self.idf)
            data *= np.repeat(chunk.scales, np.diff(chunk.bounds))
            starts = chunk.bounds[:: len(self.vectorisers)]
            rows = len(starts) - 1
            matrix = csr_matrix((data, chunk.columns.astype(np.int32), starts), shape=(rows, self.shape[1]))
            yield slice(at, at + rows), matrix
            at += rows


def count_rows(vectorisers: Sequence[Vectoriser], texts: Iterable[list[str]]) -> TextRows:
    """Count chunks of texts, each of which becomes a block."""
    idf = np.concatenate([each.idf for each in vectorisers])
    return TextRows(vectorisers, [_chunk(vectorisers, idf, some) for some in texts])


def _chunk(vectorisers: Sequence[Vectoriser], idf: Array, texts: list[str]) -> _Chunk:
    from scipy.sparse import hstack

    counted = [each.count(texts) for each in vectorisers]
    lengths = np.stack([np.diff(each.indptr) for each in counted], axis=1).ravel()
    together = hstack(counted, format="csr")
    chunk = _Chunk(
        together.indices.astype(np.uint16 if together.shape[1] <= 1 << 16 else np.uint32),
        together.data.astype(np.min_scalar_type(together.data.max(initial=0))),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32),
        np.ones(len(lengths), dtype=np.float32),
    )
    weights = _weights(chunk, idf).astype(np.float64)
    segments = np.repeat(np.arange(len(lengths)), lengths)
    norms = np.sqrt(np.bincount(segments, weights=weights * weights, minlength=len(lengths)))
    norms[norms == 0] = 1
    return _Chunk(chunk.columns, chunk.counts, chunk.bounds, (1 / norms).astype(np.float32))


def _weights(chunk: _Chunk, idf: Array) -> Array:
    """(1 + log count) · idf of each entry, float32, before rows are brought to length one."""
    most = int(chunk.counts.max(initial=1))
    logarithms = (1 + np.log(np.arange(1, most + 1))).astype(np.float32)
    weights: Array = np.concatenate([[np.float32(0)], logarithms]).astype(np.float32)[chunk.counts]
    weights *= idf[chunk.columns]
    return weights
