"""Which piece of a tokenizer speaks for which word: alignment by places in the text, for many texts at once.

A word is spoken for by the first piece that begins in it (Devlin et al. 2019, arXiv:1810.04805). Where a piece goes on
beyond its word, the words whose beginnings it covers belong to that one: they have no piece of their own to be told
apart by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from provetune.core.protocols import Array


@dataclass(frozen=True, eq=False)
class Places:
    """Stretches of texts, M of them, in the order of their texts and there of their starts.

    Attributes:
        text: number of the text that each is in, (M,), ascending.
        starts, ends: in letters, (M,). Those of no text (-1) and empty ones count for nothing.
    """

    text: Array
    starts: Array
    ends: Array

    @classmethod
    def of(cls, texts: Sequence[Sequence[tuple[int, int]]]) -> Places:
        """Those of texts in order, a list each."""
        numbers = np.repeat(np.arange(len(texts)), [len(each) for each in texts])
        flat = np.array([place for each in texts for place in each], dtype=np.int64).reshape(-1, 2)
        return cls(numbers, flat[:, 0], flat[:, 1])

    def bounds(self, count: int) -> Array:
        """Where the stretches of each of `count` texts begin, and the end: (count + 1,)."""
        return np.searchsorted(self.text, np.arange(count + 1))


def spoken_words(pieces: Places, words: Places) -> tuple[Places, Array]:
    """The words that some piece speaks for, and the number of that piece.

    Args:
        pieces: of two that begin at one place, the first speaks.
        words: without overlap in a text.

    Returns:
        S words, whose ends are those of the last word that their pieces cover; and numbers of pieces, (S,).
    """
    usable = np.flatnonzero((pieces.starts >= 0) & (pieces.ends > pieces.starts))
    if not len(usable) or not len(words.starts):
        nothing = np.zeros(0, dtype=np.int64)
        return Places(nothing, nothing, nothing), nothing
    text, starts, ends = pieces.text[usable], pieces.starts[usable], pieces.ends[usable]
    width = int(max(ends.max(), words.ends.max())) + 1
    keys = words.text * width + words.starts
    word = np.searchsorted(keys, text * width + starts, side="right") - 1
    inside = (word >= 0) & (words.text[word] == text) & (starts < words.ends[word])
    usable, word, text, starts, ends = usable[inside], word[inside], text[inside], starts[inside], ends[inside]
    covered = np.searchsorted(keys, text * width + ends, side="left") - 1
    reach = words.ends.copy()
    np.maximum.at(reach, word, words.ends[covered])
    spoken, first = np.unique(word, return_index=True)
    before = np.concatenate([[-1], np.maximum.accumulate(text * width + ends)[:-1]])
    begun = (starts[first] > words.starts[spoken]) & (before[first] > keys[spoken])
    spoken, first = spoken[~begun], first[~begun]
    found = Places(words.text[spoken], words.starts[spoken], reach[spoken])
    # What has a piece of its own is not covered by another's.
    shared = found.text[1:] == found.text[:-1]
    found.ends[:-1] = np.where(shared, np.minimum(found.ends[:-1], found.starts[1:]), found.ends[:-1])
    return found, usable[first]
