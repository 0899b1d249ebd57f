"""Answers by the words that a passage shares with the question: the baseline of span_qa, no pretrained model.

What speaks for a stretch of the passage is counted in the training rows (`provetune.models.overlap_spans`); how much
each part counts is a conditional logistic regression of the right stretch against others, fitted on rows that were not
counted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from provetune.core.errors import CorruptError, DataError
from provetune.core.files import read_json, write_json
from provetune.core.protocols import LearnsFrom
from provetune.models.overlap_counts import (
    AnsweredQuestion,
    Looks,
    answered_questions,
    count_answers,
    count_looks,
    units_of,
)
from provetune.models.overlap_spans import FEATURES, Counts, Units, describe_spans, split_units

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import Array, FeatureColumns, Outputs, Targets, Task

_FILE = "word_overlap.json"
_KEPT = 50
_OTHERS = 200
_MOST_ROWS = 3_000
_PENALTY = 1.0
_SAMPLE = 300


class WordOverlapSettings(BaseModel):
    """What `word_overlap` adds to a candidate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    longest: int = Field(20, ge=1, le=100, description="Words, or Chinese characters, of an answer at most.")


@dataclass(frozen=True)
class WordOverlapModel:
    """Counts of the training rows, and what each part counts.

    Attributes:
        numbers, names: how answers look.
        weights: of `FEATURES`, (K,).
        nothing: what "no answer" scores.
        facts: rows that were counted and weighed.
    """

    counts: Counts
    numbers: Looks
    names: Looks
    weights: Array
    nothing: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)

    def outputs(self, examples: pa.Table) -> tuple[Outputs, FeatureColumns | None]:
        """The best stretches of each row as (first letter, end, score), and "no answer" as (-1, -1, score)."""
        seen: dict[str, Units] = {}
        pairs = zip(examples.column("text").to_pylist(), examples.column("text_pair").to_pylist(), strict=True)
        return [self._candidates(split_units(text), units_of(context, seen)) for text, context in pairs], None

    def described(self, question: Units, passage: Units) -> tuple[Array, Array, Array]:
        """First and last unit of every stretch, and its features."""
        return describe_spans(question, passage, self.counts, (self.numbers.of(question), self.names.of(question)))

    def _candidates(self, question: Units, passage: Units) -> Array:
        nothing = np.array([[-1.0, -1.0, self.nothing]])
        if not passage.words:
            return nothing
        first, last, features = self.described(question, passage)
        scores = features @ self.weights
        best = np.argsort(-scores, kind="stable")[:_KEPT]
        found = np.stack([passage.starts[first[best]], passage.ends[last[best]], scores[best]], axis=1)
        return np.concatenate([found, nothing])

    def save(self, folder: Path) -> None:
        """Write ``word_overlap.json``."""
        document = {
            "counts": {**asdict(self.counts), "lengths": self.counts.lengths.tolist()},
            "numbers": asdict(self.numbers),
            "names": asdict(self.names),
            "weights": dict(zip(FEATURES, self.weights.tolist(), strict=True)),
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
        """Count two of three training rows, weigh the parts on the third, then count all.

        `seed` changes nothing: nothing is drawn by it.

        Raises:
            DataError: no row has an answer that stands in its passage.
        """
        rows = answered_questions(examples)
        if not rows:
            raise DataError("No training row has an answer that stands at its offset.", hint="See `provetune check`.")
        held = rows[::3][:_MOST_ROWS] if len(rows) > 2 else rows
        counted = [row for number, row in enumerate(rows) if number % 3] if len(rows) > 2 else rows
        weights = _weigh(_counted(counted, settings.longest), held)
        facts = {"rows": len(rows), "weighed": len(held)}
        model = replace(_counted(rows, settings.longest), weights=weights, facts=facts)
        return replace(model, nothing=_middling(model, examples.slice(0, _SAMPLE)))

    def load(self, folder: Path, task: Task, targets: Targets) -> WordOverlapModel:
        """The model that `WordOverlapModel.save` wrote.

        Raises:
            CorruptError: the file is missing or damaged.
        """
        try:
            found = read_json(Path(folder) / _FILE)
            lengths = np.asarray(found["counts"]["lengths"], dtype=np.float64)
            return WordOverlapModel(
                counts=Counts(**{**found["counts"], "lengths": lengths}),
                numbers=Looks(**found["numbers"]),
                names=Looks(**found["names"]),
                weights=np.array([found["weights"][name] for name in FEATURES], dtype=np.float64),
                nothing=float(found["nothing"]),
                facts=found.get("facts", {}),
            )
        except (FileNotFoundError, json.JSONDecodeError, KeyError, TypeError) as error:
            raise CorruptError(f"The counts of word_overlap cannot be read ({error!r}).", where=str(folder)) from error


def _counted(rows: Sequence[AnsweredQuestion], longest: int) -> WordOverlapModel:
    return WordOverlapModel(
        count_answers(rows, longest), count_looks(rows, "numbers"), count_looks(rows, "names"), np.zeros(len(FEATURES))
    )


def _weigh(model: WordOverlapModel, rows: Sequence[AnsweredQuestion]) -> Array:
    """What each feature counts: the right stretch of each row against 200 others, drawn from a fixed seed."""
    from scipy.optimize import minimize

    draw = np.random.default_rng(0)
    tables = []
    for row in rows:
        first, last, features = model.described(row.question, row.passage)
        right = np.flatnonzero((first == row.first) & (last == row.last))
        if len(right) == 0 or len(first) < 2:
            continue
        others = draw.choice(len(first), _OTHERS)
        tables.append(features[np.concatenate([right, others[others != right[0]]])])
    if not tables:
        return np.ones(len(FEATURES))
    spread = np.maximum(np.concatenate(tables).std(axis=0), 1e-6)
    scaled = [table / spread for table in tables]
    found = minimize(_surprise, np.zeros(len(FEATURES)), args=(scaled,), jac=True, method="L-BFGS-B")
    return np.asarray(found.x / spread)


def _surprise(weights: Array, tables: Sequence[Array]) -> tuple[float, Array]:
    """Negative log-likelihood of each table's first line among its lines, with its gradient; penalised."""
    value, slope = 0.5 * _PENALTY * float(weights @ weights), _PENALTY * weights
    for table in tables:
        scores = table @ weights
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        value -= float(np.log(max(shares[0], 1e-300)))
        slope = slope + shares @ table - table[0]
    return value, slope


def _middling(model: WordOverlapModel, examples: pa.Table) -> float:
    """What the best stretch scores in the middling row: "no answer" is worth as much until a threshold is tuned."""
    outputs, _ = model.outputs(examples)
    best = [float(each[0, 2]) for each in outputs if len(each) > 1]
    return float(np.median(best)) if best else 0.0


METHOD = WordOverlap()
