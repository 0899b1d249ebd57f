"""Long texts as overlapping windows whose tokens know where in the text they lie.

For tasks that answer with places in a text (entities, answers to a question). Of a pair the second text moves and the
first one stands before each window, as in Devlin et al. 2019 (arXiv:1810.04805) for SQuAD. With ``head`` and
``head_tail`` a row keeps one feature, and what it lost is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

from provetune.core.errors import UsageError
from provetune.core.protocols import EncodeSettings
from provetune.models.encoding import BATCH_ROWS, HEAD_SHARE, as_lists, fast_tokenizer, refuse_missing, uses_types

if TYPE_CHECKING:
    from provetune.core.protocols import Array

ELSEWHERE = -1
"""Offset of a token that is not of the text that moves."""

Split: TypeAlias = Callable[[str], Sequence[tuple[int, int]] | None]
"""A text → the stretches of it (start, end) that the tokenizer sees one by one, so that no token crosses them; None for
a text that it sees as it stands."""


@dataclass
class _Windows:
    """Features of one batch of rows, in columns."""

    rows: list[int] = field(default_factory=list)
    ids: list[list[int]] = field(default_factory=list)
    types: list[list[int]] = field(default_factory=list)
    starts: list[list[int]] = field(default_factory=list)
    ends: list[list[int]] = field(default_factory=list)
    cut: list[int] = field(default_factory=list)


def encode_windows(
    texts: Any,
    pairs: Any | None,
    tokenizer: Any,
    settings: EncodeSettings,
    *,
    places: Sequence[str] | None = None,
    split: Split | None = None,
) -> Iterator[pa.RecordBatch]:
    """Features of the texts with the place of every token, a record batch for about a thousand rows.

    Args:
        texts: Arrow strings (N).
        pairs: second texts (N), or None. With them the second text is the one that is cut into windows; the first is
            cut to half the room where it is longer.
        tokenizer: a fast transformers tokenizer or a `tokenizers.Tokenizer`.
        places: where each row is, for errors; rows are numbered when left out.
        split: how texts are cut before the tokenizer sees them; not for pairs.

    Yields:
        ``row`` (int32), ``input_ids`` (list of int32), ``starts`` and ``ends`` (lists of int32: letters of the text
        that moves, without white space at their edges; -1 for other tokens), ``cut`` (int32: tokens of the row that
        are not in this feature) and, for pairs whose model tells the two texts apart, ``token_type_ids`` (int8).

    Raises:
        DataError: a row has no text.
        UsageError: the tokenizer has no fast form, or `max_length` leaves no room for a token.
    """
    if split is not None and pairs is not None:
        raise ValueError("split is for single texts.")
    fast = fast_tokenizer(tokenizer)
    typed = pairs is not None and uses_types(tokenizer, fast)
    room = settings.max_length - fast.num_special_tokens_to_add(pairs is not None)
    if room < (1 if pairs is None else 2):
        raise UsageError(f"max_length {settings.max_length} leaves no room for text.", hint="Raise max_length.")
    for start in range(0, len(texts), BATCH_ROWS):
        rows = texts.slice(start, BATCH_ROWS).to_pylist()
        refuse_missing(rows, start, places)
        seconds = None
        if pairs is not None:
            seconds = pairs.slice(start, BATCH_ROWS).to_pylist()
            refuse_missing(seconds, start, places)
        yield _to_arrow(_encode_batch(rows, seconds, fast, settings, start, typed, split), typed)


def spans_of_windows(length: int, width: int, stride: int) -> list[tuple[int, int]]:
    """Where windows over `length` tokens begin and end: neighbours share `stride`, the last one is as wide as the rest.

    Args:
        width: most tokens of a window, at least 1.
        stride: tokens that neighbours share; less than `width` is taken where it is not.
    """
    if length <= width:
        return [(0, length)]
    step = max(1, width - stride)
    starts = [*range(0, length - width, step), length - width]
    return [(start, start + width) for start in starts]


def context(length: int) -> Array:
    """How many tokens of a window of `length` stand between each of its tokens and the nearer edge, (length,).

    Of a token that two windows hold, the window that gives it more context is believed.
    """
    ahead = np.arange(length)
    return np.minimum(ahead, ahead[::-1])


def _encode_batch(
    texts: list[str],
    pairs: list[str] | None,
    fast: Any,
    settings: EncodeSettings,
    start: int,
    typed: bool,
    split: Split | None,
) -> _Windows:
    stretches = [None if split is None else split(text) for text in texts]
    encodings = _encode(texts, pairs, fast, stretches)
    features = _Windows()
    moving = texts if pairs is None else pairs
    for offset, encoding in enumerate(encodings):
        starts, ends, own = _places(encoding, moving[offset], pairs is not None, stretches[offset])
        ids, types = encoding.ids, encoding.type_ids
        for kept, lost in _kept(encoding, own, settings):
            features.rows.append(start + offset)
            features.ids.append([ids[k] for k in kept])
            features.starts.append([starts[k] for k in kept])
            features.ends.append([ends[k] for k in kept])
            features.cut.append(lost)
            if typed:
                features.types.append([types[k] for k in kept])
    return features


def _encode(
    texts: list[str], pairs: list[str] | None, fast: Any, stretches: Sequence[Sequence[tuple[int, int]] | None]
) -> list[Any]:
    if pairs is not None:
        return list(fast.encode_batch(list(zip(texts, pairs, strict=True))))
    whole = [text for text, parts in zip(texts, stretches, strict=True) if parts is None]
    pieces = [[text[a:b] for a, b in parts] for text, parts in zip(texts, stretches, strict=True) if parts is not None]
    encoded, encoded_pieces = iter(fast.encode_batch(whole)), iter(fast.encode_batch(pieces, is_pretokenized=True))
    return [next(encoded if parts is None else encoded_pieces) for parts in stretches]


def _places(
    encoding: Any, text: str, paired: bool, stretches: Sequence[tuple[int, int]] | None
) -> tuple[list[int], list[int], list[int]]:
    """Starts and ends of all tokens, and the positions of those that are of the text that moves."""
    part = 1 if paired else 0
    starts, ends = [ELSEWHERE] * len(encoding.ids), [ELSEWHERE] * len(encoding.ids)
    own = []
    words = encoding.word_ids
    for k, (sequence, (start, end)) in enumerate(zip(encoding.sequence_ids, encoding.offsets, strict=True)):
        if sequence != part:
            continue
        if stretches is not None:
            begin = stretches[words[k]][0]
            start, end = begin + start, begin + end
        # Some tokenizers count the space before a word to it.
        while start < end and text[start].isspace():
            start += 1
        while start < end and text[end - 1].isspace():
            end -= 1
        starts[k], ends[k] = start, end
        own.append(k)
    return starts, ends, own


def _kept(encoding: Any, own: list[int], settings: EncodeSettings) -> list[tuple[list[int], int]]:
    """Positions that each feature keeps, with the number of the row's tokens that it does not have."""
    length = len(encoding.ids)
    if length <= settings.max_length:
        return [(list(range(length)), 0)]
    frame = [k for k, special in enumerate(encoding.special_tokens_mask) if special]
    taken = set(own)
    first = [k for k, part in enumerate(encoding.sequence_ids) if part is not None and k not in taken]
    room = settings.max_length - len(frame)
    kept_first = first[: max(room - len(own), room // 2)]
    width = room - len(kept_first)
    total = len(first) + len(own)
    parts = _stretches(own, width, settings)
    return [(sorted([*frame, *kept_first, *part]), total - len(kept_first) - len(part)) for part in parts]


def _stretches(own: list[int], width: int, settings: EncodeSettings) -> list[list[int]]:
    if settings.long_texts == "windows":
        return [own[a:b] for a, b in spans_of_windows(len(own), width, settings.stride)]
    head = width if settings.long_texts == "head" or len(own) <= width else int(width * HEAD_SHARE)
    tail = min(width - head, len(own) - head) if head < width else 0
    return [own[:head] + own[len(own) - tail :]] if tail else [own[:head]]


def _to_arrow(features: _Windows, typed: bool) -> pa.RecordBatch:
    columns = {
        "row": pa.array(np.asarray(features.rows, dtype=np.int32)),
        "input_ids": as_lists(features.ids, np.int32),
        "starts": as_lists(features.starts, np.int32),
        "ends": as_lists(features.ends, np.int32),
        "cut": pa.array(np.asarray(features.cut, dtype=np.int32)),
    }
    if typed:
        columns["token_type_ids"] = as_lists(features.types, np.int8)
    return pa.record_batch(columns)
