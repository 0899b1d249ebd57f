"""Texts into features: windows of pieces, each piece with its place, and tags for the pieces that speak for words.

Words are those of `provetune.data.words`, in training as in prediction, so that what was learned and judged is what a
person gets for a text as it stands. A word's other pieces have no label.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import DataError
from provetune.core.protocols import EncodeSettings, FeatureColumns, Targets
from provetune.data.span_words import spans_of_cell, tag_words
from provetune.data.words import find_stretches, find_words, has_unspaced
from provetune.models.word_pieces import Places, spoken_words

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array

IGNORED = -100
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
        order = np.lexsort((-around, pieces.ends, pieces.starts, pieces.text))
        pieces = Places(pieces.text[order], pieces.starts[order], pieces.ends[order])
        scores = scores[order]
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

    rows = batch.column("row").to_numpy()
    offsets = batch.column("starts").offsets.to_numpy()
    starts, ends = (batch.column(name).values.to_numpy().astype(np.int64) for name in ("starts", "ends"))
    first, last = int(rows[0]), int(rows[-1])
    some = examples.slice(first, last - first + 1)
    found = [find_words(text) for text in some.column("text").to_pylist()]
    # Every window is a text of its own here: it may begin inside a word.
    windows = np.repeat(np.arange(len(rows)), np.diff(offsets))
    pieces = Places(windows, starts, ends)
    words, speaking = spoken_words(pieces, Places.of([found[row - first] for row in rows]))
    tags = np.full(len(starts), IGNORED, dtype=np.int32)
    bounds = words.bounds(len(rows))
    numbers = {label: k for k, label in enumerate(targets.names)}
    labels = some.column("label").to_pylist()
    for k, row in enumerate(rows - first):
        part = slice(bounds[k], bounds[k + 1])
        if labels[row] is not None:
            spans = spans_of_cell(labels[row])
            tags[speaking[part]] = tag_words(words.starts[part], words.ends[part], spans, numbers)
    # A window that begins inside a word does not have the piece that speaks for it.
    tags[speaking[starts[speaking] > words.starts]] = IGNORED
    column = pa.ListArray.from_arrays(pa.array(offsets), pa.array(tags))
    return batch.append_column("labels", column)
