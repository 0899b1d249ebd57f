"""Gold tags of the words of labelled texts: what taggers without a backbone learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provetune.core.protocols import Targets
from provetune.data.span_words import spans_of_cell, tag_words
from provetune.data.words import find_words

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array


def known_tags(examples: pa.Table, targets: Targets) -> list[Array]:
    """Tag numbers (`provetune.data.span_words.tag_words`) of the words of each text, int64 (U,).

    Args:
        examples: ``text`` and ``label``, spans of letters; every row has one.
        targets: their names are the labels.
    """
    import numpy as np

    numbers = {label: k for k, label in enumerate(targets.names)}
    found = []
    pairs = zip(examples.column("text").to_pylist(), examples.column("label").to_pylist(), strict=True)
    for text, label in pairs:
        places = np.array(find_words(text), dtype=np.int64).reshape(-1, 2)
        found.append(tag_words(places[:, 0], places[:, 1], spans_of_cell(label), numbers))
    return found
