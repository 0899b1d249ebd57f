"""Marked texts to tokens; of one that is too long, what stands around its two entities is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from provetune.tasks.relation.markers import MARKERS

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import EncodeSettings


def encode_marked(texts: Any, tokenizer: Any, settings: EncodeSettings, places: Sequence[str] | None) -> pa.Table:
    """Features as `provetune.models.encoding.encode_texts` makes them, one a text, both entities in every one.

    A text that is too long keeps the tokens from its first to its last marker and as many on either side as there is
    room for; where that stretch itself is too long, its middle goes. A candidate's `long_texts` has no say in it.
    """
    import numpy as np
    import pyarrow as pa

    from provetune.models.encoding import as_lists, encode_texts

    batches = list(encode_texts(texts, None, tokenizer, replace(settings, long_texts="head"), places=places))
    table = pa.Table.from_batches(batches)
    long = np.flatnonzero(table.column("cut").to_numpy() > 0)
    if len(long) == 0:
        return table
    ids = table.column("input_ids").to_pylist()
    for row in long.tolist():
        ids[row] = _around_entities(texts[row].as_py(), tokenizer, settings.max_length)
    return table.set_column(table.column_names.index("input_ids"), "input_ids", as_lists(ids, np.int32))


def _around_entities(text: str, tokenizer: Any, max_length: int) -> list[int]:
    from provetune.models.encoding import fast_tokenizer

    encoding = fast_tokenizer(tokenizer).encode(text)
    ids, frame = encoding.ids, encoding.special_tokens_mask
    body = [k for k, special in enumerate(frame) if not special]
    room = max_length - (len(ids) - len(body))
    marks = [text.find(marker) for marker in MARKERS]
    begin, end = min(marks), max(marks) + len(MARKERS[-1])
    inside = [n for n, k in enumerate(body) if encoding.offsets[k][1] > begin and encoding.offsets[k][0] < end]
    chosen = set(_stretch(inside[0], inside[-1] + 1, len(body), room))
    kept = {body[n] for n in chosen}
    return [ids[k] for k in range(len(ids)) if frame[k] or k in kept]


def _stretch(begin: int, end: int, length: int, room: int) -> list[int]:
    """Positions kept of `length`: those from `begin` to `end` and around, or the two ends of that stretch."""
    if end - begin > room:
        head = -(-room // 2)
        return [*range(begin, begin + head), *range(end - (room - head), end)]
    start = min(max(0, begin - (room - (end - begin)) // 2), length - room)
    return list(range(start, start + room))
