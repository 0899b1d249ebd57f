"""Texts to token numbers, in batches through the tokenizer's Rust core, straight into Arrow.

A text that fits goes in as the tokenizer gives it. A longer one keeps its head (as transformers' truncation
does, the longer part of a pair first), its head and its tail (a quarter and three quarters of the room: Sun et
al. 2019, arXiv:1905.05583), or is cut into overlapping windows, each a feature of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from provetune.core.errors import DataError, UsageError
from provetune.core.protocols import EncodeSettings

if TYPE_CHECKING:
    from provetune.core.protocols import Array

BATCH_ROWS = 1024
HEAD_SHARE = 0.25


@dataclass
class _Features:
    """Features of one batch of rows, in columns."""

    rows: list[int] = field(default_factory=list)
    ids: list[list[int]] = field(default_factory=list)
    types: list[list[int]] = field(default_factory=list)
    cut: list[int] = field(default_factory=list)

    def add(self, row: int, ids: list[int], types: list[int] | None, cut: int) -> None:
        self.rows.append(row)
        self.ids.append(ids)
        self.cut.append(cut)
        if types is not None:
            self.types.append(types)


def encode_texts(
    texts: Any, pairs: Any | None, tokenizer: Any, settings: EncodeSettings, *, places: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Features of the texts, a record batch for about a thousand rows: memory does not grow with the rows.

    Args:
        texts: Arrow strings (N).
        pairs: second texts (N), or None.
        tokenizer: a fast transformers tokenizer or a `tokenizers.Tokenizer`.
        places: where each row is, for errors; rows are numbered when left out.

    Yields:
        ``row`` (int32), ``input_ids`` (list of int32), ``cut`` (int32) and, for pairs whose model tells the
        two texts apart, ``token_type_ids`` (list of int8).

    Raises:
        DataError: a row has no text.
        UsageError: the tokenizer has no fast form, or `max_length` leaves no room for a token.
    """
    fast = fast_tokenizer(tokenizer)
    typed = pairs is not None and uses_types(tokenizer, fast)
    room = settings.max_length - fast.num_special_tokens_to_add(pairs is not None)
    if room < (1 if pairs is None else 2):
        raise UsageError(f"max_length {settings.max_length} leaves no room for text.", hint="Raise max_length.")
    for start in range(0, len(texts), BATCH_ROWS):
        rows = texts.slice(start, BATCH_ROWS).to_pylist()
        seconds = None if pairs is None else pairs.slice(start, BATCH_ROWS).to_pylist()
        refuse_missing(rows, start, places)
        if seconds is not None:
            refuse_missing(seconds, start, places)
        yield _to_arrow(_encode_batch(rows, seconds, fast, settings, start, typed), typed)


def fast_tokenizer(tokenizer: Any) -> Any:
    """The Rust tokenizer inside, with no truncation and no padding of its own.

    Raises:
        UsageError: there is none.
    """
    fast = getattr(tokenizer, "backend_tokenizer", tokenizer)
    if not hasattr(fast, "encode_batch"):
        raise UsageError(
            f"The tokenizer {type(tokenizer).__name__} has no fast form.",
            hint="Choose a backbone that comes with a tokenizer.json.",
        )
    fast.no_truncation()
    fast.no_padding()
    return fast


def uses_types(tokenizer: Any, fast: Any) -> bool:
    """Whether the model tells a pair's texts apart by token types: the tokenizer gives them and says so."""
    names = getattr(tokenizer, "model_input_names", None)
    if names is not None and "token_type_ids" not in names:
        return False
    return any(fast.encode("a", "a").type_ids)


def _encode_batch(
    texts: list[str], pairs: list[str] | None, fast: Any, settings: EncodeSettings, start: int, typed: bool
) -> _Features:
    inputs = texts if pairs is None else list(zip(texts, pairs, strict=True))
    features = _Features()
    for offset, encoding in enumerate(fast.encode_batch_fast(inputs)):
        ids = encoding.ids
        if len(ids) <= settings.max_length:
            features.add(start + offset, ids, encoding.type_ids if typed else None, 0)
            continue
        types = encoding.type_ids
        for kept, cut in _shorten(encoding, settings):
            features.add(start + offset, [ids[k] for k in kept], [types[k] for k in kept] if typed else None, cut)
    return features


def _shorten(encoding: Any, settings: EncodeSettings) -> list[tuple[list[int], int]]:
    """Positions that each feature of a too long text keeps, with the tokens it lost or moved on."""
    special = np.asarray(encoding.special_tokens_mask, dtype=bool)
    second = np.array([part == 1 for part in encoding.sequence_ids])
    frame = np.flatnonzero(special)
    first, last = np.flatnonzero(~special & ~second), np.flatnonzero(~special & second)
    room = settings.max_length - len(frame)
    length = len(first) + len(last)
    if settings.long_texts == "windows":
        return _windows(frame, first, last, room, settings.stride)
    rooms = _share_room(len(first), len(last), room)
    pick = _head if settings.long_texts == "head" else _head_and_tail
    kept = np.sort(np.concatenate([frame, pick(first, rooms[0]), pick(last, rooms[1])]))
    return [(kept.tolist(), length - room)]


def _windows(frame: Array, first: Array, last: Array, room: int, stride: int) -> list[tuple[list[int], int]]:
    """Overlapping windows over the text, or over a pair's second text with the first one before each."""
    fixed, moving = (first[:0], first) if len(last) == 0 else (first[: max(1, room // 2)], last)
    width = room - len(fixed)
    if len(last) and len(moving) <= width:
        fixed, width = first[: room - len(moving)], len(moving)
    step = max(1, width - stride)
    count = 1 + max(0, -(-(len(moving) - width) // step))
    found = []
    for k in range(count):
        part = moving[k * step : k * step + width]
        kept = np.sort(np.concatenate([frame, fixed, part]))
        found.append((kept.tolist(), len(first) + len(last) - len(fixed) - len(part)))
    return found


def _share_room(first: int, second: int, room: int) -> tuple[int, int]:
    """Room for each text of a pair, taken from the longer first; the odd token goes to the longer one."""
    if second == 0:
        return room, 0
    short, long = min(first, second), max(first, second)
    if short + long <= room:
        return first, second
    short_room = min(short, room // 2)
    long_room = room - short_room
    return (short_room, long_room) if first <= second else (long_room, short_room)


def _head(positions: Array, room: int) -> Array:
    return positions[:room]


def _head_and_tail(positions: Array, room: int) -> Array:
    if len(positions) <= room:
        return positions
    head = int(room * HEAD_SHARE)
    return np.concatenate([positions[:head], positions[len(positions) - (room - head) :]])


def _to_arrow(features: _Features, typed: bool) -> pa.RecordBatch:
    columns = {
        "row": pa.array(np.asarray(features.rows, dtype=np.int32)),
        "input_ids": as_lists(features.ids, np.int32),
        "cut": pa.array(np.asarray(features.cut, dtype=np.int32)),
    }
    if typed:
        columns["token_type_ids"] = as_lists(features.types, np.int8)
    return pa.record_batch(columns)


def as_lists(values: list[list[int]], dtype: type[np.integer[Any]]) -> pa.ListArray:
    """Lists of numbers as an Arrow column (F) of lists."""
    offsets = np.zeros(len(values) + 1, dtype=np.int32)
    np.cumsum([len(value) for value in values], out=offsets[1:])
    flat = np.fromiter(chain.from_iterable(values), dtype=dtype, count=int(offsets[-1]))
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat))


def refuse_missing(texts: list[Any], start: int, places: Sequence[str] | None) -> None:
    """Check that each of the texts, of which the first is row number `start`, is there.

    Raises:
        DataError: one is missing.
    """
    for offset, text in enumerate(texts):
        if text is None:
            row = start + offset
            raise DataError(
                "There is no text in this row.",
                where=places[row] if places is not None else f"row {row + 1}",
                hint="Fill it in or remove the row.",
            )
