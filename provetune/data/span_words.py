"""Spans of letters and the words that they cover: from what a file says to tags of words, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from provetune.core.protocols import Array

Span: TypeAlias = tuple[int, int, str]
"""Start and end in letters of the text, the end behind the last one, and a label."""


UNSAID = -100
"""In place of a tag's number: nothing is known of this word, and nothing is learned from it."""


def spans_of_cell(cell: Sequence[Mapping[str, Any]] | None) -> list[Span]:
    """The spans of a label as examples hold it (a list of structs); none where there is no label."""
    return [(one["start"], one["end"], one["label"]) for one in cell or ()]


def split_overlaps(spans: Iterable[Span]) -> tuple[list[Span], list[Span]]:
    """Spans that can be tagged together, in order, and those that overlap one of them.

    Of spans that overlap the longer one is kept, of equally long ones the first.
    """
    ordered = sorted(set(spans))
    if all(one[1] <= other[0] for one, other in pairwise(ordered)):
        return ordered, []
    kept: list[Span] = []
    left: list[Span] = []
    for span in sorted(ordered, key=lambda span: (span[0] - span[1], span)):
        clash = any(span[0] < other[1] and other[0] < span[1] for other in kept)
        (left if clash else kept).append(span)
    return sorted(kept), sorted(left)


def tag_words(starts: Array, ends: Array, spans: Iterable[Span], numbers: Mapping[str, int]) -> Array:
    """Tag numbers of words: 0 outside, 2 · n + 1 for the first word of a span of label number n, 2 · n + 2 inside.

    Args:
        starts, ends: of U words, ascending, without overlap.
        spans: those that overlap are settled by `split_overlaps`; labels without a number are left out.

    Returns:
        int64 (U,). A word belongs to a span that covers any of its letters.
    """
    tags = np.zeros(len(starts), dtype=np.int64)
    for start, end, label in split_overlaps(spans)[0]:
        number = numbers.get(label)
        if number is None:
            continue
        first = int(np.searchsorted(ends, start, side="right"))
        stop = int(np.searchsorted(starts, end, side="left"))
        # A word that holds the end of one span and the start of the next stays with the first.
        while first < stop and tags[first]:
            first += 1
        if first < stop:
            tags[first] = 2 * number + 1
            tags[first + 1 : stop] = 2 * number + 2
    return tags


def learned_tags(starts: Array, ends: Array, spans: Iterable[Span], numbers: Mapping[str, int], tokens: Array) -> Array:
    """`tag_words` of words whose file has tokens of its own, and UNSAID where the file says nothing about a word.

    A tag is said of a whole token (``@anna`` is outside), and a token's first word stands for it, as its first piece
    does everywhere else (Devlin et al. 2019, arXiv:1810.04805). Of the other words (``anna``) only those of a span are
    known, since spans are stretches of letters. Files are not of one mind on what a token is, in training and test
    either: learning that ``anna`` after ``@`` is no name would contradict one that has it as a token.

    Args:
        tokens: where the file's tokens start, ascending (K,).
    """
    tags = tag_words(starts, ends, spans, numbers)
    return np.where((tags == 0) & ~np.isin(starts, tokens), UNSAID, tags)


def tag_names(labels: Sequence[str]) -> list[str]:
    """The BIO tags of `tag_words`, by number."""
    return ["O", *(f"{letter}-{label}" for label in labels for letter in "BI")]


def tagged_spans(tags: Array) -> tuple[Array, Array, Array]:
    """Spans of words in a valid sequence of `tag_words` numbers, or in several one after another.

    Returns:
        Number of the first word of each, of the one behind its last, and of its label; int64 (S,) each.
    """
    first = np.flatnonzero(tags % 2 == 1)
    stops = np.append(np.flatnonzero((tags == 0) | (tags % 2 == 1)), len(tags))
    end = stops[np.searchsorted(stops, first, side="right")]
    return first, end, (tags[first] - 1) // 2


def crossed_words(spans: Iterable[Span], words: Sequence[tuple[int, int]]) -> list[Span]:
    """The spans that begin or end inside a word, so that no tags of words can say where."""
    starts = {start for start, _ in words}
    ends = {end for _, end in words}
    return [span for span in spans if span[0] not in starts or span[1] not in ends]
