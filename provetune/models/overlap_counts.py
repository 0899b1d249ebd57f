"""What `word_overlap` counts in the training rows: lengths of answers, words at their edges, how they look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.models.overlap_spans import Counts, Units, rarities, split_units

if TYPE_CHECKING:
    import pyarrow as pa

_EDGE_SMOOTHING = 3.0
_LOOK_SMOOTHING = 8.0
_LEAST_QUESTIONS = 3


@dataclass(frozen=True)
class AnsweredQuestion:
    """A training row: units of both texts, and first and last unit of the answer."""

    question: Units
    passage: Units
    first: int
    last: int


@dataclass(frozen=True)
class Looks:
    """How often answers have something (a number, a name), by the words of their questions.

    Attributes:
        share: of all answers.
        words: word → how much likelier a question with it makes that, in log odds.
    """

    share: float
    words: Mapping[str, float]

    def of(self, question: Units) -> float:
        """How likely the answer to a question has it, 0.02 to 0.98 (naive Bayes)."""
        odds = np.log(self.share / (1 - self.share)) + sum(self.words.get(word, 0.0) for word in set(question.words))
        return float(np.clip(1 / (1 + np.exp(-odds)), 0.02, 0.98))


def answered_questions(examples: pa.Table) -> list[AnsweredQuestion]:
    """The rows whose answer stands where it should."""
    seen: dict[str, Units] = {}
    found = []
    columns = (examples.column(name).to_pylist() for name in ("text", "text_pair", "label"))
    for text, context, label in zip(*columns, strict=True):
        passage = units_of(context, seen)
        answer = next((one for one in label or () if one["text"] and one["start"] >= 0), None)
        if answer is None:
            continue
        end = answer["start"] + len(answer["text"])
        inside = np.flatnonzero((passage.starts < end) & (passage.ends > answer["start"]))
        if len(inside):
            found.append(AnsweredQuestion(split_units(text), passage, int(inside[0]), int(inside[-1])))
    return found


def units_of(text: str, seen: dict[str, Units]) -> Units:
    """A text's units; questions about one passage share them."""
    if text not in seen:
        seen[text] = split_units(text)
    return seen[text]


def count_answers(rows: Sequence[AnsweredQuestion], longest: int) -> Counts:
    """Rarity of words, lengths of answers up to `longest` units, and words at their edges."""
    passages = list({id(row.passage): row.passage for row in rows}.values())
    rarity, unseen = rarities(passages)
    sizes = [min(row.last - row.first + 1, longest) for row in rows]
    counted = np.bincount(sizes, minlength=longest + 1)[1:].astype(np.float64)
    # A length that no answer has is likelier where its neighbours occur.
    smooth = np.convolve(counted, [0.25, 0.5, 0.25], mode="same") + 0.5
    return Counts(rarity, unseen, np.log(smooth / smooth.sum()), _edges(rows, passages))


def count_looks(rows: Sequence[AnsweredQuestion], kind: str) -> Looks:
    """How often answers have a unit of a `kind`, ``"numbers"`` or ``"names"``."""
    have = [bool(getattr(row.passage, kind)[row.first : row.last + 1].any()) for row in rows]
    share = (sum(have) + 1) / (len(have) + 2)
    with_it: Counter[str] = Counter()
    without: Counter[str] = Counter()
    for row, has in zip(rows, have, strict=True):
        (with_it if has else without).update(set(row.question.words))
    words = {}
    for word in with_it.keys() | without.keys():
        yes, no = with_it[word], without[word]
        if yes + no >= _LEAST_QUESTIONS:
            extra = _LOOK_SMOOTHING
            words[word] = float(np.log((yes + extra * share) / (no + extra * (1 - share)) * (1 - share) / share))
    return Looks(share, words)


def _edges(rows: Sequence[AnsweredQuestion], passages: Sequence[Units]) -> dict[str, dict[str, float]]:
    """For each edge: word → log of its share there over its share anywhere, drawn towards 0 where it is rare."""
    anywhere: Counter[str] = Counter()
    for passage in passages:
        anywhere.update(("", *passage.words, ""))
    total = anywhere.total()
    found = {}
    for name, shift in (("before", 0), ("first", 1), ("last", 1), ("behind", 2)):
        there: Counter[str] = Counter()
        for row in rows:
            words: Any = ("", *row.passage.words, "")
            there[words[(row.first if name in ("before", "first") else row.last) + shift]] += 1
        expected = {word: anywhere[word] * len(rows) / total for word in anywhere}
        found[name] = {
            word: float(np.log((there[word] + _EDGE_SMOOTHING) / (expected[word] + _EDGE_SMOOTHING)))
            for word in anywhere
            if there[word] or expected[word] > 0.5
        }
    return found
