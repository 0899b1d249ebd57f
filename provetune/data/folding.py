"""Texts made comparable: case and white space do not count. For comparing only; no model sees these."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

_BETWEEN = "\x1d"
UNIT = "_unit"
"""Column of examples with what rows that stay together have in common, where that is not their whole text (a query)."""


def fold(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Lower case, runs of white space as one space, none at the ends."""
    spaced = pc.replace_substring_regex(pc.utf8_lower(texts), r"[\s\x{a0}\x{3000}]+", " ")
    return pc.utf8_trim_whitespace(spaced)


def whole_texts(examples: pa.Table) -> pa.ChunkedArray:
    """The text of each example; of a pair both, with a separator that no text has."""
    if "text_pair" not in examples.column_names:
        return examples["text"]
    return pc.binary_join_element_wise(examples["text"], examples["text_pair"], _BETWEEN)


def drawn_texts(examples: pa.Table) -> pa.ChunkedArray:
    """What rows have in common that must stay in one split: their whole text, or what the task says instead."""
    return examples[UNIT] if UNIT in examples.column_names else whole_texts(examples)
