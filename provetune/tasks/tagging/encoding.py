"""Texts into features: windows of pieces, each piece with its place, and tags for the pieces that speak for words.

Words are those of `provetune.data.words`, in training as in prediction, so that what was learned and judged is what a
person gets for a text as it stands. A word's other pieces have no label, nor have words of which the file says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import DataError
from provetune.core.protocols import EncodeSettings, FeatureColumns, Targets
from provetune.data.span_words import UNSAID
from provetune.data.words import find_stretches, find_words, has_unspaced
from provetune.models.word_pieces import Places, spoken_words
from provetune.models.word_tags import known_tags_of, numbers_of, token_starts

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array

IGNORED = UNSAID
_PROBE = "中国北京"
"""Letters that a tokenizer made for Chinese words, not letters, puts together."""


def encode_rows(examples: pa.Table, tokenizer: Any, settings: EncodeSettings, targets: Targets | None) -> pa.Table:
    """Features with ``row``, ``input_ids``, ``starts``, ``ends``, ``cut``; with `targets` ``labels`` (lists of int32).

    Raises:
        DataError: there are no rows, or one has no text.
    """
    import pyarrow as pa

    from provetune.models.places import Places as FilePlaces
    from provetune.models.windows import encode_windows

    texts = examples.column("text")
    split = None if _keeps_letters_apart(tokenizer) else _split
    found = encode_windows(texts, None, tokenizer, settings, places=FilePlaces.of(examples), split=split)
    batches = [batch if targets is None else _labelled(batch, examples, targets) for batch in found]
    if not batches:
        raise DataError("There are no rows to encode.")
    return pa.Table.from_batches(batches)


def bring_together(outputs: Sequence[Array], features: FeatureColumns, examples: pa.Table) -> tuple[Places, Array]:
    """The words of all rows and the model's scores for each: of a word in several windows those of the window that has
    the most around it.

    Args:
        outputs: of each feature (T, C), T its pieces.

    Returns:
        S words, and scores (S, C).
    """
    from provetune.models.windows import context

    taken = features.take(range(len(features)))
    lengths = [len(one["starts"]) for one in taken]
    pieces = Places(
        np.repeat(np.asarray(features.rows, dtype=np.int64), lengths),
        np.concatenate([one["starts"] for one in taken]).astype(np.int64),
        np.concatenate([one["ends"] for one in taken]).astype(np.int64),
    )
    scores = np.concatenate([np.asarray(each) for each in outputs])
    if len(taken) > len(examples):
        around = np.concatenate([context(length) for length in lengths])
        first = _first_of_letter(pieces, np.repeat(np.arange(len(taken)), lengths))
        pieces = Places(pieces.text[first], pieces.starts[first], pieces.ends[first])
        pieces, order = _in_order(pieces, around[first])
        scores = scores[first][order]
    words, speaking = spoken_words(pieces, words_of(examples))
    return words, scores[speaking]


def words_of(examples: pa.Table) -> Places:
    """The words of all texts."""
    return Places.of([find_words(text) for text in examples.column("text").to_pylist()])


def _split(text: str) -> list[tuple[int, int]] | None:
    """The stretches of a text that has letters of a script without spaces; None leaves it to the tokenizer."""
    return find_stretches(text) if has_unspaced(text) else None


def _keeps_letters_apart(tokenizer: Any) -> bool:
    """Whether no piece of the tokenizer goes over several Chinese letters."""
    from provetune.models.encoding import fast_tokenizer

    encoding = fast_tokenizer(tokenizer).encode(_PROBE)
    return all(end - start <= 1 for start, end in encoding.offsets)


def _labelled(batch: pa.RecordBatch, examples: pa.Table, targets: Targets) -> pa.RecordBatch:
    """With tag numbers of all pieces; -100 for those that speak for no word, and all where a row has no label."""
    import pyarrow as pa

    offsets = batch.column("starts").offsets.to_numpy()
    starts, ends = (batch.column(name).values.to_numpy().astype(np.int64) for name in ("starts", "ends"))
    rows = batch.column("row").to_numpy()
    first, last = int(rows[0]), int(rows[-1])
    some = examples.slice(first, last - first + 1)
    window = np.repeat(np.arange(len(rows)), np.diff(offsets))
    pieces = Places(rows[window].astype(np.int64) - first, starts, ends)
    words, _ = spoken_words(_in_order(pieces)[0], words_of(some))
    word = _word_of_piece(pieces, words, window)
    known = _word_tags(words, some, targets)
    tags = np.where(word < 0, IGNORED, known[word] if len(known) else IGNORED).astype(np.int32)
    column = pa.ListArray.from_arrays(pa.array(offsets), pa.array(tags))
    return batch.append_column("labels", column)


def _word_tags(words: Places, examples: pa.Table, targets: Targets) -> Array:
    """Tag number of each word, (S,); -100 in rows without a label and where a row's tokens say nothing of a word."""
    numbers = numbers_of(targets)
    tags = np.full(len(words.text), IGNORED, dtype=np.int64)
    bounds = words.bounds(len(examples)).tolist()
    rows = zip(examples.column("label").to_pylist(), token_starts(examples), pairwise(bounds), strict=True)
    for label, tokens, (start, end) in rows:
        if label is not None:
            tags[start:end] = known_tags_of(words.starts[start:end], words.ends[start:end], label, tokens, numbers)
    return tags


def _word_of_piece(pieces: Places, words: Places, window: Array) -> Array:
    """Number of the word that each piece speaks for in its window, (P,); -1 for none.

    A piece speaks where its word begins, and the first one does: a window that begins inside a word leaves that out.
    """
    found = np.full(len(pieces.text), -1, dtype=np.int64)
    if not len(words.text):
        return found
    width = int(max(words.starts.max(), pieces.starts.max())) + 1
    keys = words.text * width + words.starts
    begins = np.flatnonzero((pieces.starts >= 0) & (pieces.ends > pieces.starts))
    wanted = pieces.text[begins] * width + pieces.starts[begins]
    word = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    begins, word = begins[keys[word] == wanted], word[keys[word] == wanted]
    _, once = np.unique(np.stack([window[begins], word]), axis=1, return_index=True)
    found[begins[once]] = word[once]
    return found


def _first_of_letter(pieces: Places, window: Array) -> Array:
    """Numbers of the pieces that begin a letter, ascending.

    A tokenizer of bytes has several pieces for one letter, all of them at its place (and one that takes Korean
    syllables apart has too): the first in its window is the one that was taught to speak.
    """
    usable = np.flatnonzero((pieces.starts >= 0) & (pieces.ends > pieces.starts))
    if not len(usable):
        return usable
    keys = window[usable] * (int(pieces.starts.max()) + 1) + pieces.starts[usable]
    return np.sort(usable[np.unique(keys, return_index=True)[1]])


def _in_order(pieces: Places, around: Array | None = None) -> tuple[Places, Array]:
    """Pieces by their places, of equal ones those first that have more around them; and the order, (P,)."""
    keys = (pieces.ends, pieces.starts, pieces.text)
    order = np.lexsort(keys if around is None else (-around, *keys))
    return Places(pieces.text[order], pieces.starts[order], pieces.ends[order]), order
