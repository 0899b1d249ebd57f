"""What a model says about questions: the best stretches of each passage, and how likely it has no answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.protocols import FeatureColumns, Outputs, Targets
from provetune.tasks.span_qa.search import Spans, Window, best_spans

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array
    from provetune.data.masked_places import MaskedText

MAY_LACK, ANSWERED = "may_lack_answer", "answered"
THRESHOLD = "no_answer_threshold"
_AT_ONCE = 1024


@dataclass(frozen=True)
class Said:
    """An answer that is given.

    Attributes:
        text: "" for "no answer".
        start, end: its letters in the passage; None for "no answer".
        score: its probability.
    """

    text: str
    start: int | None
    end: int | None
    score: float

    def to_json(self) -> dict[str, Any]:
        return {"answer": self.text, "score": self.score, "start": self.start, "end": self.end}


@dataclass(frozen=True)
class QuestionAnswer:
    """What a model says about one question.

    Attributes:
        context: the passage.
        spans: its best stretches.
        may_lack: whether questions may have no answer.
    """

    context: str
    spans: Spans
    may_lack: bool

    @property
    def margin(self) -> float:
        """How much likelier "no answer" is than the best stretch, in logits."""
        return self.spans.none - float(self.spans.logits[0]) if len(self.spans.logits) else float("inf")

    @property
    def total(self) -> float:
        """Log of the sum over everything that could be said."""
        return float(np.logaddexp(self.spans.total, self.spans.none)) if self.may_lack else self.spans.total

    def nothing(self) -> Said:
        """That there is no answer."""
        total = self.total
        sure = not self.may_lack or not np.isfinite(total)
        return Said("", None, None, float(not len(self.spans.logits)) if sure else _share(self.spans.none, total))

    def ranked(self) -> list[Said]:
        """The stretches, the best one first."""
        return [self._said(number) for number in range(len(self.spans.logits))]

    def given(self, threshold: float) -> Said:
        """The best stretch, unless "no answer" is likelier by more than the threshold."""
        if not len(self.spans.logits) or (self.may_lack and self.margin > threshold):
            return self.nothing()
        return self._said(0)

    def _said(self, number: int) -> Said:
        start, end = int(self.spans.starts[number]), int(self.spans.ends[number])
        return Said(self.context[start:end], start, end, _share(float(self.spans.logits[number]), self.total))


class QuestionAnswers(Sequence[QuestionAnswer]):
    """What a model says about N questions."""

    def __init__(self, answers: Sequence[QuestionAnswer]) -> None:
        self._answers = list(answers)

    def __len__(self) -> int:
        return len(self._answers)

    def __getitem__(self, at: Any) -> Any:
        return QuestionAnswers(self._answers[at]) if isinstance(at, slice) else self._answers[at]


def answers_of(
    outputs: Outputs, features: FeatureColumns | None, examples: pa.Table, targets: Targets
) -> QuestionAnswers:
    """The best stretches of each row.

    Args:
        outputs: logits of beginning and end of each feature's tokens, (T, 2); without `features` candidates of each
            row, (K, 3): first letter, end and score.
    """
    contexts = examples.column("text_pair").to_pylist()
    may_lack = targets.kind == MAY_LACK
    count, longest = int(targets.options["n_best"]), int(targets.options["max_answer_length"])
    if features is None:
        found = [_from_candidates(np.asarray(each), count) for each in outputs]
    else:
        found = [best_spans(windows, longest, count) for windows in row_windows(outputs, features, len(contexts))]
    return QuestionAnswers(
        [QuestionAnswer(context, spans, may_lack) for context, spans in zip(contexts, found, strict=True)]
    )


def threshold_of(targets: Targets) -> float:
    """From which margin on there is no answer: as set, as tuned, else 0."""
    fixed = targets.options.get(THRESHOLD, "auto")
    return float(targets.tuned.get(THRESHOLD, 0.0)) if fixed == "auto" else float(fixed)


def row_windows(outputs: Sequence[Array], features: FeatureColumns, rows: int) -> Iterator[list[Window]]:
    """The windows of each of N rows, in order.

    Raises:
        ValueError: a row has none.
    """
    numbers = np.asarray(features.rows)
    if not np.array_equal(np.unique(numbers), np.arange(rows)):
        raise ValueError(f"Every one of {rows} rows must have a feature.")
    windows: list[Window] = []
    for start in range(0, len(numbers), _AT_ONCE):
        part = range(start, min(start + _AT_ONCE, len(numbers)))
        for feature, number in zip(features.take(list(part)), part, strict=True):
            windows.append(_window(feature, np.asarray(outputs[number])))
            if number + 1 == len(numbers) or numbers[number + 1] != numbers[number]:
                yield windows
                windows = []


def _window(feature: Mapping[str, Any], logits: Array) -> Window:
    starts, ends = np.asarray(feature["starts"]), np.asarray(feature["ends"])
    inside, none = starts >= 0, int(feature["none"])
    begin, finish = logits[: len(starts), 0], logits[: len(starts), 1]
    return Window(starts[inside], ends[inside], begin[inside], finish[inside], float(begin[none]) + float(finish[none]))


def _from_candidates(rows: Array, count: int) -> Spans:
    """Candidates of a model that scores stretches itself; a row of -1, -1 is "no answer"."""
    rows = rows.reshape(-1, 3).astype(np.float64)
    lacking = rows[:, 0] < 0
    none = float(rows[lacking, 2].max()) if lacking.any() else float("-inf")
    rows = rows[~lacking]
    rows = rows[np.argsort(-rows[:, 2], kind="stable")]
    total = float(np.logaddexp.reduce(rows[:, 2])) if len(rows) else float("-inf")
    kept = rows[:count]
    return Spans(kept[:, 0].astype(np.int64), kept[:, 1].astype(np.int64), kept[:, 2], none, total)


def _share(logit: float, total: float) -> float:
    return float(np.exp(min(0.0, logit - total))) if np.isfinite(logit) else 0.0


def place_in_given(told: Mapping[str, Any], passage: MaskedText) -> dict[str, Any]:
    """An answer out of a masked passage, its place and words those of the passage before."""
    if told["start"] is None:
        return dict(told)
    start, end = passage.given_span(told["start"], told["end"])
    return {**told, "answer": passage.given[start:end], "start": start, "end": end}
