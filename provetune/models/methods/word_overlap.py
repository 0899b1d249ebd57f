"""Answers by the words that a passage shares with the question: the baseline of span_qa, no pretrained model.

What is learned is counted: how rare words are, how long answers are, how often an answer has a number or a name given
the question's words. How much nearness and looks count is whatever answers the validation rows best.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from provetune.core.errors import CorruptError
from provetune.core.files import read_json, write_json
from provetune.core.protocols import LearnsFrom
from provetune.models.overlap_spans import Units, Weights, rarities, score_spans, split_units

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array, FeatureColumns, Outputs, Targets, Task

_FILE = "word_overlap.json"
_KEPT = 50
_ROWS_TO_CHOOSE_BY = 300
_TRIED = {"sentence": (1.0, 2.0), "near": (0.5, 1.0, 2.0), "reach": (4.0, 10.0), "shape": (0.0, 1.0)}
_SMOOTHING = 8.0


class WordOverlapSettings(BaseModel):
    """What `word_overlap` adds to a candidate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    longest: int = Field(20, ge=1, le=100, description="Words, or Chinese characters, of an answer at most.")


@dataclass(frozen=True)
class Looks:
    """How often answers have something (a number, a name), by the words of their questions.

    Attributes:
        share: of all answers.
        words: word → log of how much more often answers to questions with it have that, and how much less the rest.
    """

    share: float
    words: Mapping[str, tuple[float, float]]

    def of(self, question: Units) -> float:
        """How likely the answer to a question has it, 0.02 to 0.98 (naive Bayes)."""
        odds = np.log(self.share / (1 - self.share))
        for word in set(question.words):
            with_it, without = self.words.get(word, (0.0, 0.0))
            odds += with_it - without
        return float(np.clip(1 / (1 + np.exp(-odds)), 0.02, 0.98))


@dataclass(frozen=True)
class WordOverlapModel:
    """Counts of the training rows, and the weights that were chosen.

    Attributes:
        rarity, unseen: see `provetune.models.overlap_spans.rarities`.
        lengths: log-probability of an answer's length in units, (L,).
        numbers, names: how answers look.
        nothing: what "no answer" scores.
    """

    rarity: Mapping[str, float]
    unseen: float
    lengths: Array
    numbers: Looks
    names: Looks
    weights: Weights = field(default_factory=Weights)
    nothing: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)

    def outputs(self, examples: pa.Table) -> tuple[Outputs, FeatureColumns | None]:
        """The best stretches of each row as (first letter, end, score), and "no answer" as (-1, -1, score)."""
        texts, contexts = (examples.column(name).to_pylist() for name in ("text", "text_pair"))
        seen: dict[str, Units] = {}
        return [
            self._candidates(split_units(text), _units(context, seen))
            for text, context in zip(texts, contexts, strict=True)
        ], None

    def _candidates(self, question: Units, passage: Units) -> Array:
        nothing = [[-1.0, -1.0, self.nothing]]
        if not passage.words:
            return np.array(nothing)
        looks = self.numbers.of(question), self.names.of(question)
        scores = score_spans(question, passage, self.rarity, self.unseen, self.lengths, looks, self.weights).ravel()
        order = np.argsort(-scores, kind="stable")[:_KEPT]
        first, length = np.divmod(order[np.isfinite(scores[order])], len(self.lengths))
        found = [passage.starts[first], passage.ends[first + length], scores[first * len(self.lengths) + length]]
        return np.concatenate([np.stack(found, axis=1), nothing])

    def save(self, folder: Path) -> None:
        """Write ``word_overlap.json``."""
        document = {
            "rarity": dict(self.rarity),
            "unseen": self.unseen,
            "lengths": self.lengths.tolist(),
            "numbers": asdict(self.numbers),
            "names": asdict(self.names),
            "weights": asdict(self.weights),
            "nothing": self.nothing,
            "facts": dict(self.facts),
        }
        write_json(Path(folder) / _FILE, document)


class WordOverlap:
    """`word_overlap`: two runs are equal whatever their seeds, so its spread over seeds is nought."""

    name = "word_overlap"
    summary = "Answers near the words that passage and question share: the baseline of span_qa, no pretrained model."
    learns_from: LearnsFrom = "examples"
    tasks: tuple[str, ...] | None = ("span_qa",)
    bundle_kind = "examples"
    settings: type[BaseModel] = WordOverlapSettings
    defaults: Mapping[str, Any] = MappingProxyType({})
    deterministic = True

    def fit(
        self,
        examples: pa.Table,
        task: Task,
        targets: Targets,
        settings: WordOverlapSettings,
        *,
        seed: int = 0,
        validation: pa.Table,
    ) -> WordOverlapModel:
        """Count the training rows and choose the weights by the task's first metric on the validation rows.

        `seed` changes nothing: nothing is drawn.
        """
        counted = _count(examples, settings.longest)
        rows = validation.slice(0, _ROWS_TO_CHOOSE_BY)
        model = counted if rows.num_rows == 0 else _choose(counted, task, targets, rows)
        return _with_nothing(model, examples)

    def load(self, folder: Path, task: Task, targets: Targets) -> WordOverlapModel:
        """The model that `WordOverlapModel.save` wrote.

        Raises:
            CorruptError: the file is missing or damaged.
        """
        try:
            found = read_json(Path(folder) / _FILE)
            looks = {
                name: Looks(
                    found[name]["share"], {word: (pair[0], pair[1]) for word, pair in found[name]["words"].items()}
                )
                for name in ("numbers", "names")
            }
            return WordOverlapModel(
                rarity=found["rarity"],
                unseen=found["unseen"],
                lengths=np.asarray(found["lengths"], dtype=np.float64),
                weights=Weights(**found["weights"]),
                nothing=found["nothing"],
                facts=found.get("facts", {}),
                **looks,
            )
        except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError, IndexError) as error:
            raise CorruptError(f"The counts of word_overlap cannot be read ({error!r}).", where=str(folder)) from error


def _count(examples: pa.Table, longest: int) -> WordOverlapModel:
    seen: dict[str, Units] = {}
    columns = (examples.column(name).to_pylist() for name in ("text", "text_pair", "label"))
    questions, sizes, numbers, names = [], [], [], []
    for text, context, label in zip(*columns, strict=True):
        passage = _units(context, seen)
        answer = next((one for one in label or () if one["text"] and one["start"] >= 0), None)
        if answer is None:
            continue
        inside = (passage.starts < answer["start"] + len(answer["text"])) & (passage.ends > answer["start"])
        if inside.any():
            questions.append(split_units(text))
            sizes.append(int(inside.sum()))
            numbers.append(bool(passage.numbers[inside].any()))
            names.append(bool(passage.names[inside].any()))
    rarity, unseen = rarities(list(seen.values()))
    return WordOverlapModel(
        rarity, unseen, _length_prior(sizes, longest), _looks(questions, numbers), _looks(questions, names)
    )


def _units(text: str, seen: dict[str, Units]) -> Units:
    if text not in seen:
        seen[text] = split_units(text)
    return seen[text]


def _length_prior(sizes: Sequence[int], longest: int) -> Array:
    """Log-probability of each length, each smoothed by a share of its neighbours'."""
    counts = (
        np.bincount(np.minimum(sizes, longest), minlength=longest + 1)[1:].astype(np.float64)
        if sizes
        else np.ones(longest)
    )
    smooth = np.convolve(counts, [0.25, 0.5, 0.25], mode="same") + 0.5
    return np.asarray(np.log(smooth / smooth.sum()))


def _looks(questions: Sequence[Units], have: Sequence[bool]) -> Looks:
    share = (sum(have) + 1) / (len(have) + 2)
    counts: dict[str, list[int]] = {}
    for question, has in zip(questions, have, strict=True):
        for word in set(question.words):
            counts.setdefault(word, [0, 0])[0 if has else 1] += 1
    words = {}
    for word, (yes, no) in counts.items():
        if yes + no >= 3:
            # Of the rows that have it and of those that have not, the share with this word, drawn towards equality.
            rate = (yes + no + _SMOOTHING) / (len(have) + _SMOOTHING)
            with_it = (yes + _SMOOTHING * rate) / (share * len(have) + _SMOOTHING)
            without = (no + _SMOOTHING * rate) / ((1 - share) * len(have) + _SMOOTHING)
            words[word] = (float(np.log(with_it / rate)), float(np.log(without / rate)))
    return Looks(share, words)


def _choose(model: WordOverlapModel, task: Task, targets: Targets, rows: pa.Table) -> WordOverlapModel:
    """The weights that answer the rows best, "no answer" left out of account."""
    from dataclasses import replace

    metric = task.metrics[0].name
    tried: dict[Weights, float] = {}
    for values in product(*_TRIED.values()):
        weights = Weights(**dict(zip(_TRIED, values, strict=True)))
        outputs, features = replace(model, weights=weights, nothing=-1e9).outputs(rows)
        answers = task.answers(outputs, features, rows, targets)
        tried[weights] = task.score(task.outcomes(rows, answers, targets), targets).get(metric, 0.0)
    best = max(tried, key=lambda one: tried[one])
    return replace(model, weights=best, facts={"tried": len(tried), "rows": rows.num_rows, metric: tried[best]})


def _with_nothing(model: WordOverlapModel, examples: pa.Table) -> WordOverlapModel:
    """What "no answer" scores: as much as the best stretch does in the middling row."""
    from dataclasses import replace

    outputs, _ = model.outputs(examples.slice(0, _ROWS_TO_CHOOSE_BY))
    best = [each[0, 2] for each in outputs if len(each) > 1]
    return replace(model, nothing=float(np.median(best)) if best else 0.0)


METHOD = WordOverlap()
