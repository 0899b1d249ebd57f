"""Stretches of a passage scored by the words around them that a question shares: what `word_overlap` is made of.

In the line of the sliding-window baselines for reading comprehension (Richardson et al. 2013; Rajpurkar et al. 2016,
arXiv:1606.05250): an answer stands near the question's rarer words, is not itself made of them, is about as long as
answers are, and looks as answers to such questions look (a number, a name).
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


@dataclass(frozen=True)
class Units:
    """A text's words and Chinese characters, U of them.

    Attributes:
        words: in lower case.
        starts, ends: letters, (U,).
        sentences: number of the sentence of each, (U,).
        numbers, names: whether each has a digit, or begins with a capital inside its sentence, bool (U,).
    """

    words: tuple[str, ...]
    starts: Array
    ends: Array
    sentences: Array
    numbers: Array
    names: Array


@dataclass(frozen=True)
class Weights:
    """How much each part counts.

    Attributes:
        sentence: shared words in the stretch's sentence.
        near: shared words beside the stretch, the nearer the more.
        reach: units over which nearness falls to a third.
        shape: whether numbers and names are where such questions have them.
    """

    sentence: float = 1.0
    near: float = 1.0
    reach: float = 4.0
    shape: float = 1.0


def split_units(text: str) -> Units:
    """The units of a text."""
    matches = list(_UNITS.finditer(text))
    starts = np.array([match.start() for match in matches], dtype=np.int64)
    ends = np.array([match.end() for match in matches], dtype=np.int64)
    bounds = np.array([match.end() for match in _SENTENCE_ENDS.finditer(text)], dtype=np.int64)
    sentences = np.searchsorted(bounds, starts, side="right")
    opens = np.concatenate([[True], sentences[1:] != sentences[:-1]]) if len(matches) else np.zeros(0, dtype=bool)
    numbers = np.array([any(map(str.isdigit, match[0])) for match in matches], dtype=bool)
    capitals = np.array([match[0][0].isupper() for match in matches], dtype=bool)
    return Units(tuple(match[0].lower() for match in matches), starts, ends, sentences, numbers, capitals & ~opens)


def rarities(texts: Sequence[Units]) -> tuple[dict[str, float], float]:
    """How rare each word is among texts: log of texts over those that have it; and what an unseen one counts as."""
    counts: dict[str, int] = {}
    for text in texts:
        for word in set(text.words):
            counts[word] = counts.get(word, 0) + 1
    total = len(texts) + 1.0
    return {word: float(np.log(total / count)) for word, count in counts.items()}, float(np.log(total))


def score_spans(
    question: Units,
    passage: Units,
    rarity: Mapping[str, float],
    unseen: float,
    lengths: Array,
    looks: tuple[float, float],
    weights: Weights,
) -> Array:
    """Scores of all stretches within one sentence, (U, L): row i, column d is the stretch of units i to i + d.

    Args:
        rarity, unseen: see `rarities`.
        lengths: log-probability of each length, (L,).
        looks: how likely the answer has a number, and a name.

    Returns:
        float64; -inf for stretches that cross a sentence or the passage's end.
    """
    asked = set(question.words)
    shared = np.array([rarity.get(word, unseen) if word in asked else 0.0 for word in passage.words])
    known = max(1e-9, sum(rarity.get(word, unseen) for word in asked))
    count, longest = len(shared), len(lengths)
    before, behind = _nearness(shared, weights.reach)
    in_sentence = np.bincount(passage.sentences, shared)[passage.sentences] / known
    first = np.arange(count)[:, None]
    last = first + np.arange(longest)[None, :]
    beyond = last >= count
    last = np.minimum(last, count - 1)
    beyond |= passage.sentences[first] != passage.sentences[last]
    sums = np.concatenate([[0.0], np.cumsum(shared)])
    inside = sums[last + 1] - sums[first]
    found = (
        weights.sentence * 4 * in_sentence[first]
        + weights.near * (before[first] + behind[last] - 2 * inside) * 4 / known
        + lengths[None, :]
        + weights.shape
        * (_looks(passage.numbers, first, last, looks[0]) + _looks(passage.names, first, last, looks[1]))
    )
    return np.where(beyond, -np.inf, found)


def _nearness(shared: Array, reach: float) -> tuple[Array, Array]:
    """Shared words before each unit and behind it, each counting exp(-distance / reach)."""
    decay = float(np.exp(-1.0 / reach))
    before, behind = np.zeros(len(shared)), np.zeros(len(shared))
    for k in range(1, len(shared)):
        before[k] = (before[k - 1] + shared[k - 1]) * decay
        behind[-1 - k] = (behind[-k] + shared[-k]) * decay
    return before, behind


def _looks(marks: Array, first: Array, last: Array, share: float) -> Array:
    """Log-probability that a stretch has, or has not, a unit of a kind."""
    sums = np.concatenate([[0], np.cumsum(marks)])
    return np.where(sums[last + 1] > sums[first], np.log(share), np.log1p(-share))
