"""Names for rows and for sets of rows, made from content alone: neither file name nor row order enters.

A row's id is the SHA-256 of its cells, column by column in the order of the columns' names, and of the number
of equal rows before it. A split's hash is the SHA-256 of its sorted (row id, label) pairs.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from provetune.data.table import ROW, RawTable

if TYPE_CHECKING:
    Numbers = np.ndarray[Any, np.dtype[np.uint64]]

_CHUNK = 16_384
ID_LETTERS = 32


def row_ids(raw: RawTable) -> pa.ChunkedArray:
    """The id of every row: 32 hexadecimal letters (128 bits)."""
    table = raw.table.select(sorted(raw.names))
    digests = np.empty((table.num_rows, 2), dtype=np.uint64)
    ids: list[pa.Array] = []
    start = 0
    for batch in table.to_batches(max_chunksize=_CHUNK):
        hashes = [hashlib.sha256(row + b"\x1f0").digest()[:16] for row in _serialise(batch)]
        digests[start : start + len(hashes)] = np.frombuffer(b"".join(hashes), np.uint64).reshape(-1, 2)
        ids.append(pa.array([digest.hex() for digest in hashes], pa.string()))
        start += len(hashes)
    column = pa.chunked_array(ids, pa.string())
    again = _occurrences(digests)
    repeated = np.flatnonzero(again)
    if not len(repeated):
        return column
    rows = (row for batch in table.take(repeated).to_batches() for row in _serialise(batch))
    renamed = [
        hashlib.sha256(row + f"\x1f{count}".encode()).hexdigest()[:ID_LETTERS]
        for row, count in zip(rows, again[repeated].tolist(), strict=True)
    ]
    return pc.replace_with_mask(column, pa.array(again > 0), pa.array(renamed, pa.string()))


def split_hash(examples: pa.Table) -> str:
    """SHA-256 of the sorted (row id, label) pairs of a split: equal sets of judged rows have equal hashes."""
    table = pa.table({"row_id": examples["row_id"], "label": label_keys(examples["label"])})
    order = pc.sort_indices(table["row_id"])
    digest = hashlib.sha256()
    for start in range(0, table.num_rows, _CHUNK):
        piece = table.take(order.slice(start, _CHUNK))
        for row, label in zip(piece["row_id"].to_pylist(), piece["label"].to_pylist(), strict=True):
            digest.update(f"{row}\x1f{'' if label is None else '=' + label}\x1e".encode())
    return digest.hexdigest()


def draw_numbers(ids: list[str] | pa.ChunkedArray, seed: int, purpose: str) -> Numbers:
    """A number for each id that is as good as random, and the same whenever id, seed and purpose are."""
    start = f"{seed}\x1f{purpose}\x1f".encode()
    names = ids if isinstance(ids, list) else ids.to_pylist()
    pieces = [hashlib.sha256(start + name.encode()).digest()[:8] for name in names]
    return np.frombuffer(b"".join(pieces), dtype=">u8").astype(np.uint64)


def label_keys(labels: pa.ChunkedArray) -> pa.ChunkedArray:
    """Labels as one text a row: several are joined in order by a unit separator, spans and numbers are JSON."""
    if pa.types.is_string(labels.type) or pa.types.is_null(labels.type):
        return labels
    if pa.types.is_list(labels.type) and pa.types.is_string(labels.type.value_type):
        return pc.binary_join(labels, "\x1f")
    written = [None if each is None else json.dumps(each, ensure_ascii=False) for each in labels.to_pylist()]
    return pa.chunked_array([pa.array(written, pa.string())])


def _serialise(batch: pa.RecordBatch) -> list[bytes]:
    """Each row as bytes that no other row has: every cell is preceded by its column's name and its length."""
    parts: list[Any] = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        if name == ROW:
            continue
        cells = column.cast(pa.large_binary())
        lengths = pc.fill_null(pc.binary_length(cells).cast(pa.string()), "-").cast(pa.large_binary())
        title = f"{len(name.encode())}:{name}=".encode()
        parts += [pa.scalar(title, pa.large_binary()), lengths, pa.scalar(b":", pa.large_binary())]
        parts.append(pc.fill_null(cells, b""))
    joined = pc.binary_join_element_wise(*parts, pa.scalar(b"", pa.large_binary()))
    rows: list[bytes] = joined.to_pylist()
    return rows


def _occurrences(digests: Numbers) -> np.ndarray[Any, np.dtype[np.int64]]:
    """How many equal digests stand before each, (N,)."""
    count = len(digests)
    order = np.lexsort((np.arange(count), digests[:, 1], digests[:, 0]))
    ordered = digests[order]
    fresh = np.ones(count, dtype=bool)
    fresh[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    first = np.maximum.accumulate(np.where(fresh, np.arange(count), 0))
    found = np.empty(count, dtype=np.int64)
    found[order] = np.arange(count) - first
    return found
