"""Gold tags of the words of labelled texts: what taggers learn from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import Targets
from provetune.data.span_words import learned_tags, spans_of_cell, tag_words
from provetune.data.words import find_words

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array


def known_tags(examples: pa.Table, targets: Targets) -> list[Array]:
    """Tag numbers of the words of each text, int64 (U,), -100 where nothing is known of a word; those of
    `provetune.data.span_words.learned_tags` where the file has tokens, else of `tag_words`.

    Args:
        examples: ``text``, ``label`` (spans of letters; every row has one), and where the file has tokens
            ``token_starts``.
        targets: their names are the labels.
    """
    found = []
    rows = zip(*(examples.column(name).to_pylist() for name in ("text", "label")), token_starts(examples), strict=True)
    for text, label, tokens in rows:
        places = np.array(find_words(text), dtype=np.int64).reshape(-1, 2)
        found.append(known_tags_of(places[:, 0], places[:, 1], label, tokens, numbers_of(targets)))
    return found


def known_tags_of(starts: Array, ends: Array, label: Any, tokens: Any, numbers: Mapping[str, int]) -> Array:
    """The same for the words of one text: `label` is a cell of spans, `tokens` where its tokens start, or None."""
    spans = spans_of_cell(label)
    if tokens is None:
        return tag_words(starts, ends, spans, numbers)
    return learned_tags(starts, ends, spans, numbers, np.asarray(tokens))


def token_starts(examples: pa.Table) -> list[Any]:
    """Where the tokens of each text start, in letters; None where the file has none."""
    if "token_starts" not in examples.column_names:
        return [None] * examples.num_rows
    return list(examples.column("token_starts").to_pylist())


def numbers_of(targets: Targets) -> dict[str, int]:
    """The number of each label."""
    return {label: k for k, label in enumerate(targets.names)}
