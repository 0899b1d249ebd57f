"""What a model says about texts: spans, from its scores for words, decoded so that no invalid sequence comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import Targets
from provetune.data.span_words import Span, tag_names, tagged_spans
from provetune.models.word_pieces import Places

if TYPE_CHECKING:
    from provetune.core.protocols import Array
    from provetune.data.masked_places import MaskedText


@dataclass(frozen=True, eq=False)
class TagAnswers:
    """The spans found in N texts, S in all.

    Attributes:
        texts: as given, N of them.
        places: where the spans are.
        labels: number of each span's label, (S,).
        scores: mean probability of its tags over its words, as `transformers.pipeline` has it, (S,).
        shares: mean probability of each label over its words (S, T); what is left is "outside".
        words, logs: the words that were decoded, W of them, and logarithms of their tags' probabilities (W, 2 T + 1).
    """

    texts: Sequence[str]
    places: Places
    labels: Array
    scores: Array
    shares: Array
    words: Places | None = None
    logs: Array | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def rows(self) -> list[range]:
        """Numbers of the spans of each text."""
        bounds = self.places.bounds(len(self.texts)).tolist()
        return [range(start, end) for start, end in pairwise(bounds)]

    def spans(self, targets: Targets) -> list[list[Span]]:
        """Start, end and label of the spans of each text."""
        starts, ends, labels = self.places.starts.tolist(), self.places.ends.tolist(), self.labels.tolist()
        return [[(starts[k], ends[k], targets.names[labels[k]]) for k in row] for row in self.rows()]

    def joined(self, others: Sequence[TagAnswers]) -> TagAnswers:
        """These texts and those of others behind them."""
        parts = [self, *others]
        words = [part.words for part in parts if part.words is not None]
        logs = [part.logs for part in parts if part.logs is not None]
        whole = len(words) == len(logs) == len(parts)
        sizes = [len(part) for part in parts]
        return TagAnswers(
            texts=[text for part in parts for text in part.texts],
            places=_joined_places([part.places for part in parts], sizes),
            labels=np.concatenate([part.labels for part in parts]),
            scores=np.concatenate([part.scores for part in parts]),
            shares=np.concatenate([part.shares for part in parts]),
            words=_joined_places(words, sizes) if whole else None,
            logs=np.concatenate(logs) if whole else None,
        )


def no_answers(texts: Sequence[str], targets: Targets) -> TagAnswers:
    """No span in any text."""
    empty = np.zeros(0, dtype=np.int64)
    return TagAnswers(texts, Places(empty, empty, empty), empty, np.zeros(0), np.zeros((0, len(targets.names))))


def decode(texts: Sequence[str], words: Places, scores: Array, targets: Targets, *, margin: float = 0.0) -> TagAnswers:
    """The spans with the highest sum of log-probabilities among valid sequences of BIO tags.

    Args:
        words: of all texts, S of them.
        scores: logits of the words (S, 2 T + 1).
        margin: taken off "outside" before, in logits; the probabilities that are told stay what the model says.
    """
    from provetune.models.tag_decoding import decode_tags, transitions

    if not len(words.starts):
        return no_answers(texts, targets)
    logs = _log_softmax(scores)
    bounds = words.bounds(len(texts))
    weighed = logs - margin * (np.arange(logs.shape[1]) == 0)
    paths = decode_tags([weighed[start:end] for start, end in pairwise(bounds)], transitions(tag_names(targets.names)))
    path = np.concatenate(paths)
    first, end, labels = tagged_spans(path)
    if not len(first):
        return replace(no_answers(texts, targets), words=words, logs=logs)
    places = Places(words.text[first], words.starts[first], words.ends[end - 1])
    probabilities = np.exp(logs)
    chosen = probabilities[np.arange(len(path)), path]
    either = probabilities[:, 1::2] + probabilities[:, 2::2]
    return TagAnswers(texts, places, labels, _means(chosen, first, end), _means(either, first, end), words, logs)


def told(answers: TagAnswers, targets: Targets, *, labels: int | None = None) -> list[dict[str, Any]]:
    """``{"spans": [{"start", "end", "text", "label", "score"}]}`` of each text.

    Args:
        labels: adds to each span its so many most probable labels with their probabilities.
    """
    rows: list[dict[str, Any]] = []
    spans, scores = answers.spans(targets), answers.scores.tolist()
    for text, found, numbers in zip(answers.texts, spans, answers.rows(), strict=True):
        entries: list[dict[str, Any]] = []
        for (start, end, label), number in zip(found, numbers, strict=True):
            entry = {"start": start, "end": end, "text": text[start:end], "label": label, "score": scores[number]}
            if labels is not None:
                entry["labels"] = _likely(answers.shares[number], targets, labels)
            entries.append(entry)
        rows.append({"spans": entries})
    return rows


def place_in_given(spans: Sequence[Mapping[str, Any]], masked: MaskedText) -> list[dict[str, Any]]:
    """Spans of a masked text where they stood before; of several that fall together the one with the highest score."""
    found: dict[tuple[int, int], dict[str, Any]] = {}
    for span in spans:
        start, end = masked.given_span(span["start"], span["end"])
        entry = {**span, "start": start, "end": end, "text": masked.given[start:end]}
        taken = [place for place in found if place[0] < end and start < place[1]]
        if any(found[place]["score"] >= span["score"] for place in taken):
            continue
        for place in taken:
            del found[place]
        found[start, end] = entry
    return list(found.values())


def _joined_places(places: Sequence[Places], sizes: Sequence[int]) -> Places:
    """Stretches of several lists of texts as those of one."""
    before = np.concatenate([[0], np.cumsum(sizes[:-1])]).astype(np.int64)
    numbers = [each.text + first for each, first in zip(places, before, strict=True)]
    sides = ([getattr(each, name) for each in places] for name in ("starts", "ends"))
    return Places(np.concatenate(numbers), *(np.concatenate(side) for side in sides))


def _likely(shares: Array, targets: Targets, count: int) -> dict[str, float]:
    order = np.argsort(-shares, kind="stable")[:count]
    return {targets.names[k]: float(shares[k]) for k in order}


def _means(values: Array, first: Array, end: Array) -> Array:
    """Means of values (V, …) from each `first` up to each `end`."""
    padded = np.concatenate([values, np.zeros((1, *values.shape[1:]))])
    sums = np.add.reduceat(padded, np.stack([first, end], axis=1).ravel(), axis=0)[::2]
    widths = (end - first).reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray(sums / widths)


def _log_softmax(scores: Array) -> Array:
    values = np.asarray(scores, dtype=np.float64)
    values = values - values.max(axis=1, keepdims=True)
    return np.asarray(values - np.log(np.exp(values).sum(axis=1, keepdims=True)))
