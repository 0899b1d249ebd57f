"""The best sequence of tags among those that are allowed: Viterbi's search with a mask, for many texts at once.

A tagger scores each word alone, so its best tags one by one may contradict each other (an ``I-PER`` after an ``O``).
Here every step may only go where the scheme lets it, so that no invalid sequence can come out.

Viterbi 1967, doi:10.1109/TIT.1967.1054010.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from provetune.data.tag_schemes import Scheme, parse_tag

if TYPE_CHECKING:
    from provetune.core.protocols import Array

_CLOSED = ("BIOES", "BILOU", "BMES")
"""Schemes whose spans of several tokens must be closed."""
_NUMBERS_AT_ONCE = 1 << 22
_FEW = 4


@dataclass(frozen=True, eq=False)
class Transitions:
    """Which of K tags may stand where.

    Attributes:
        first: whether a sequence may begin with each, bool (K,).
        after: whether the second may follow the first, bool (K, K).
        last: whether a sequence may end with each, bool (K,).
    """

    first: Array
    after: Array
    last: Array


def transitions(tags: Sequence[str], scheme: Scheme = "BIO") -> Transitions:
    """What the scheme allows: the sequences in which `provetune.data.tag_schemes.broken_places` finds nothing.

    Raises:
        ValueError: a tag is none of the scheme's, or there is none that a sequence can begin or end with.
    """
    parsed = [("", tag) if scheme == "plain" else parse_tag(tag) for tag in tags]
    for tag, parts in zip(tags, parsed, strict=True):
        if parts is None:
            raise ValueError(f"Tags must be of the scheme {scheme}. Got {tag!r} instead.")
    known = [parts for parts in parsed if parts is not None]
    found = Transitions(
        first=np.array([_may_begin(tag, scheme) for tag in known], dtype=bool),
        after=np.array([[_may_follow(one, two, scheme) for two in known] for one in known], dtype=bool),
        last=np.array([_may_end(tag, scheme) for tag in known], dtype=bool),
    )
    if not found.first.any() or not found.last.any():
        raise ValueError(f"No sequence of {scheme} can be made of the tags {list(tags)}.")
    return found


def decode_tags(scores: Sequence[Array], allowed: Transitions) -> list[Array]:
    """The allowed sequence with the highest sum of scores, for each of N texts.

    Args:
        scores: of each text (T, K), where T may differ; logarithms of probabilities, or logits.

    Returns:
        Tag numbers of each text, int64 (T,).
    """
    found: list[Array] = [np.zeros(0, dtype=np.int64)] * len(scores)
    lengths = np.array([len(each) for each in scores], dtype=np.int64)
    order = np.argsort(lengths, kind="stable")
    order = order[lengths[order] > 0]
    size = len(allowed.first)
    start = 0
    while start < len(order):
        # Neighbours in length, as many as fit: padded to the longest, and with room for every pair of tags.
        rows = max(1, _NUMBERS_AT_ONCE // (size * size))
        chosen = order[start : start + rows]
        while len(chosen) > 1 and len(chosen) * lengths[chosen[-1]] * size > _NUMBERS_AT_ONCE:
            chosen = chosen[: len(chosen) // 2]
        padded = np.zeros((len(chosen), int(lengths[chosen[-1]]), size))
        for k, index in enumerate(chosen):
            padded[k, : lengths[index]] = scores[index]
        for index, path in zip(chosen, viterbi(padded, lengths[chosen], allowed), strict=True):
            found[index] = path[: lengths[index]]
        start += len(chosen)
    return found


def viterbi(scores: Array, lengths: Array, allowed: Transitions) -> Array:
    """The best allowed sequences of a padded batch.

    Args:
        scores: (B, T, K), finite.
        lengths: (B,), from 1 to T; what lies behind is not looked at.

    Returns:
        Tag numbers int64 (B, T); behind a sequence's end its last tag is repeated.
    """
    count, steps, size = scores.shape
    sources = _Sources(allowed.after)
    best = scores[:, 0] + np.where(allowed.first, 0.0, -np.inf)
    stay = np.broadcast_to(np.arange(size), (count, size))
    came_from = np.empty((steps, count, size), dtype=np.int64)
    for step in range(1, steps):
        before, reached = sources.best_before(best)
        running = (lengths > step)[:, None]
        best = np.where(running, reached + scores[:, step], best)
        came_from[step] = np.where(running, before, stay)
    path = np.empty((count, steps), dtype=np.int64)
    path[:, -1] = (best + np.where(allowed.last, 0.0, -np.inf)).argmax(axis=1)
    for step in range(steps - 1, 0, -1):
        path[:, step - 1] = came_from[step][np.arange(count), path[:, step]]
    return path


class _Sources:
    """Where each tag may come from. Many tags may come from the same ones (in BIO everything but I from all), and the
    others from few: so a step looks at some K pairs of tags, not at K · K.

    Args:
        after: which tag may follow which, (K, K).
    """

    def __init__(self, after: Array) -> None:
        size = len(after)
        columns, self._set_of = np.unique(after.T, axis=0, return_inverse=True)
        self._set_of = self._set_of.ravel()
        sets = [np.flatnonzero(column) for column in columns]
        self._large = [(number, sources) for number, sources in enumerate(sets) if len(sources) > _FEW]
        self._small = np.array([number for number, sources in enumerate(sets) if len(sources) <= _FEW], dtype=np.int64)
        # Filled up with the number of a tag that cannot be.
        self._padded = np.full((len(self._small), _FEW), size, dtype=np.int64)
        for k, number in enumerate(self._small):
            self._padded[k, : len(sets[number])] = sets[number]
        self._sets = len(sets)

    def best_before(self, best: Array) -> tuple[Array, Array]:
        """For each tag the best one to come from, and its score, (B, K) each, from the scores so far (B, K)."""
        count = len(best)
        before = np.empty((count, self._sets), dtype=np.int64)
        value = np.empty((count, self._sets))
        for number, sources in self._large:
            chosen = best[:, sources].argmax(axis=1)
            before[:, number] = sources[chosen]
            value[:, number] = best[np.arange(count), sources[chosen]]
        if len(self._small):
            padded = np.concatenate([best, np.full((count, 1), -np.inf)], axis=1)
            offered = padded[:, self._padded]
            chosen = offered.argmax(axis=2)
            value[:, self._small] = np.take_along_axis(offered, chosen[..., None], axis=2)[..., 0]
            before[:, self._small] = self._padded[np.arange(len(self._small)), chosen]
        return before[:, self._set_of], value[:, self._set_of]


def _may_begin(tag: tuple[str, str], scheme: Scheme) -> bool:
    return tag[0] not in ("I", "E") or scheme in ("IO", "IOB1")


def _may_end(tag: tuple[str, str], scheme: Scheme) -> bool:
    return tag[0] not in ("B", "I") or scheme not in _CLOSED


def _may_follow(one: tuple[str, str], two: tuple[str, str], scheme: Scheme) -> bool:
    if scheme in ("plain", "IO", "IOB1"):
        return True
    continues = two[0] in ("I", "E")
    inside = one[0] in ("B", "I")
    if continues:
        return inside and one[1] == two[1]
    return not inside or scheme not in _CLOSED
