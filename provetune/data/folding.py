"""Texts made comparable: case and white space do not count. For comparing only; no model sees these."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

_BETWEEN = "\x1d"


def fold(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """Lower case, runs of white space as one space, none at the ends."""
    spaced = pc.replace_substring_regex(pc.utf8_lower(texts), r"[\s\x{a0}\x{3000}]+", " ")
    return pc.utf8_trim_whitespace(spaced)


def whole_texts(examples: pa.Table) -> pa.ChunkedArray:
    """The text of each example; of a pair both, with a separator that no text has."""
    if "text_pair" not in examples.column_names:
        return examples["text"]
    return pc.binary_join_element_wise(examples["text"], examples["text_pair"], _BETWEEN)
