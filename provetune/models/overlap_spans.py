"""Stretches of a passage described by the words around them that a question shares: what `word_overlap` weighs.

In the line of the feature baselines for reading comprehension (Richardson et al. 2013; Rajpurkar et al. 2016,
arXiv:1606.05250): an answer stands near the question's rarer words, is not itself made of them, is about as long as
answers are, begins and ends with words that answers begin and end with, and looks as answers to such questions look.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from provetune.core.protocols import Array

# A Chinese or Japanese character is a unit, elsewhere a word or number is.
_UNITS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|\d+(?:[.,]\d+)*|[^\W\u3040-\u30ff\u3400-\u9fff]+")
_SENTENCE_ENDS = re.compile(r"[.!?](?=\s)|[。！？；\n]")
_REACHES = (3.0, 10.0)
_EDGES = ("before", "first", "last", "behind")
FEATURES = (
    "in_sentence",
    *(f"{side}_within_{reach:g}" for reach in _REACHES for side in ("before", "behind")),
    "inside",
    "length",
    "number",
    "name",
    *_EDGES,
    "cuts_name",
    "at_mark",
)


@dataclass(frozen=True)
class Units:
    """A text's words and Chinese characters, U of them.

    Attributes:
        words: in lower case.
        starts, ends: letters, (U,).
        sentences: number of the sentence of each, (U,).
        numbers, names: whether each has a digit, or begins with a capital inside its sentence, bool (U,).
        marks: whether anything but a space stands before each, and behind the last one, bool (U + 1,).
    """

    words: tuple[str, ...]
    starts: Array
    ends: Array
    sentences: Array
    numbers: Array
    names: Array
    marks: Array


@dataclass(frozen=True)
class Counts:
    """What is known about words and answers.

    Attributes:
        rarity: word → log of the texts over those that have it.
        unseen: that of a word that no text has.
        lengths: log-probability of an answer's length in units, (L,).
        edges: for the unit before an answer, its first, its last and the one behind it: word → log of how much more
            often it stands there than anywhere.
    """

    rarity: Mapping[str, float]
    unseen: float
    lengths: Array
    edges: Mapping[str, Mapping[str, float]]


def split_units(text: str) -> Units:
    """The units of a text."""
    matches = list(_UNITS.finditer(text))
    starts = np.array([match.start() for match in matches], dtype=np.int64)
    ends = np.array([match.end() for match in matches], dtype=np.int64)
    bounds = np.array([match.end() for match in _SENTENCE_ENDS.finditer(text)], dtype=np.int64)
    sentences = np.searchsorted(bounds, starts, side="right")
    numbers = np.array([any(map(str.isdigit, match[0])) for match in matches], dtype=bool)
    capitals = np.array([match[0][0].isupper() for match in matches], dtype=bool)
    # A capital that begins a sentence says nothing.
    capitals[np.flatnonzero(np.diff(sentences, prepend=-1))] = False
    gaps = zip([0, *ends.tolist()], [*starts.tolist(), len(text)], strict=True)
    marks = np.array([bool(text[end:start].strip()) or start == end == 0 for end, start in gaps], dtype=bool)
    return Units(tuple(match[0].lower() for match in matches), starts, ends, sentences, numbers, capitals, marks)


def rarities(texts: Sequence[Units]) -> tuple[dict[str, float], float]:
    """How rare each word is among texts: log of texts over those that have it; and what an unseen one counts as."""
    counts: dict[str, int] = {}
    for text in texts:
        for word in set(text.words):
            counts[word] = counts.get(word, 0) + 1
    total = len(texts) + 1.0
    return {word: float(np.log(total / count)) for word, count in counts.items()}, float(np.log(total))


def describe_spans(
    question: Units, passage: Units, counts: Counts, looks: tuple[float, float]
) -> tuple[Array, Array, Array]:
    """The stretches of a passage within one sentence, and what speaks for each.

    Args:
        looks: how likely the answer has a number, and a name, between 0 and 1.

    Returns:
        First and last unit of S stretches, (S,) each; `FEATURES` of each, float64 (S, K).
    """
    size, longest = len(passage.words), len(counts.lengths)
    first, length = (part.ravel() for part in np.indices((size, longest)))
    last = first + length
    inside = last < size
    first, last, length = first[inside], last[inside], length[inside]
    whole = passage.sentences[first] == passage.sentences[last]
    first, last, length = first[whole], last[whole], length[whole]
    shared, known = _shared(question, passage, counts)
    sums = np.concatenate([[0.0], np.cumsum(shared)])
    columns = [np.bincount(passage.sentences, shared)[passage.sentences][first]]
    for reach in _REACHES:
        before, behind = _nearness(shared, reach)
        columns += [before[first], behind[last]]
    columns.append(sums[last + 1] - sums[first])
    columns = [column / known for column in columns]
    columns.append(counts.lengths[length])
    columns += [_has(passage.numbers, first, last, looks[0]), _has(passage.names, first, last, looks[1])]
    padded = ("", *passage.words, "")
    edges = {name: np.array([counts.edges[name].get(word, 0.0) for word in padded]) for name in _EDGES}
    for name, places in zip(_EDGES, (first, first + 1, last + 1, last + 2), strict=True):
        columns.append(edges[name][places])
    names = np.concatenate([[False], passage.names, [False]])
    broken = (names[first] & names[first + 1]).astype(np.float64) + (names[last + 2] & names[last + 1])
    marked = passage.marks[first].astype(np.float64) + passage.marks[last + 1]
    return first, last, np.stack([*columns, broken, marked], axis=1)


def _shared(question: Units, passage: Units, counts: Counts) -> tuple[Array, float]:
    """Rarity of each unit of the passage that the question has, (U,), and that of the whole question."""
    asked = set(question.words)
    weights = {word: counts.rarity.get(word, counts.unseen) for word in asked}
    shared = np.array([weights.get(word, 0.0) for word in passage.words])
    return shared, max(1e-9, sum(weights.values()))


def _nearness(shared: Array, reach: float) -> tuple[Array, Array]:
    """Shared words before each unit and behind it, each counting exp(-distance / reach)."""
    decay = float(np.exp(-1.0 / reach))
    before, behind = np.zeros(len(shared)), np.zeros(len(shared))
    for k in range(1, len(shared)):
        before[k] = (before[k - 1] + shared[k - 1]) * decay
        behind[-1 - k] = (behind[-k] + shared[-k]) * decay
    return before, behind


def _has(marks: Array, first: Array, last: Array, share: float) -> Array:
    """Log-probability that a stretch has, or has not, a unit of a kind."""
    sums = np.concatenate([[0], np.cumsum(marks)])
    has: Array = sums[last + 1] > sums[first]
    return np.asarray(np.where(has, np.log(share), np.log1p(-share)))
