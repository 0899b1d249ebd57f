"""A method that fits in seconds, tried again and again on parts of the training rows.

It is what `next` measures with where the study's own runs do not say: how the score grows with rows, and what each
training row would be called by a model that did not learn from it. Only training and validation rows are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from provetune.core.protocols import FitMethod, Targets, Task
from provetune.problem.syntax import Candidate, Problem
from provetune.study.frozen_features import cached_features
from provetune.study.splits_store import load_split
from provetune.study.trial_rows import as_seen
from provetune.study.trial_spec import TrialSpec

if TYPE_CHECKING:
    import pyarrow as pa
    from pydantic import BaseModel

    from provetune.core.protocols import Answers, Array
    from provetune.statistics.judged import Judged

MOST_ROWS = 20_000
"""Of more training rows a draw of so many is tried: what is wanted is seconds."""
SHARES = (0.25, 0.5, 0.75)
DRAWS = 3


@dataclass(frozen=True)
class CheapLearner:
    """A candidate's method and the rows that it can be tried on.

    Attributes:
        name: of the candidate.
        train: N training rows, with their texts, labels and places.
        inputs, checked: what the method takes, of the N training and the M validation rows: texts, or features.
        labels, gold: label numbers of both, or indicators for several labels a row.
    """

    name: str
    task: Task
    targets: Targets
    method: FitMethod
    settings: BaseModel
    train: pa.Table
    validation: pa.Table
    inputs: Any
    checked: Any
    labels: Array
    gold: Array

    def fit(self, rows: Array) -> Any:
        """The model of these training rows (R,)."""
        return self.method.fit(
            self._take(rows),
            self.labels[rows],
            self.targets,
            self.settings,
            seed=0,
            validation=(self.checked, self.gold),
        )

    def judged(self, rows: Array) -> Judged:
        """What a model of these training rows says about the validation rows."""
        answers = self._answers(self.fit(rows).logits(self.checked), self.validation)
        found: Judged = self.task.judged(self.task.outcomes(self.validation, answers, self.targets), self.targets)
        return found

    def held_out(self, folds: Array) -> Array:
        """Probabilities of every training row by a model that did not learn from its fold, (N, C).

        Args:
            folds: number of each row's fold (N,).
        """
        found = np.zeros((len(folds), len(self.targets.names)))
        for fold in np.unique(folds):
            inside = np.flatnonzero(folds == fold)
            model = self.fit(np.flatnonzero(folds != fold))
            found[inside] = self._answers(model.logits(self._take(inside)), self.train.take(inside))
        return found

    def settled(self) -> CheapLearner:
        """The same with the strength that is best on all rows, so that further fits need not choose it again."""
        facts = self.fit(np.arange(self.train.num_rows)).facts
        if "C" not in facts or getattr(self.settings, "C", None) != "auto":
            return self
        return CheapLearner(**{**self.__dict__, "settings": self.settings.model_copy(update={"C": facts["C"]})})

    def _take(self, rows: Array) -> Any:
        if isinstance(self.inputs, list):
            return [self.inputs[row] for row in rows.tolist()]
        return self.inputs[rows]

    def _answers(self, logits: Array, examples: pa.Table) -> Answers:
        return self.task.answers(logits, None, examples, self.targets)


def find_learner(
    folder: Path, problem: Problem, resolved: Mapping[str, Any], order: list[str], threads: int
) -> CheapLearner | None:
    """The first candidate of `order` that fits in seconds here: texts, or features that are in the cache.

    Args:
        folder: of the study.
        problem: as resolved.
        resolved: its ``resolved.json``.
        threads: that its trials computed with.
    """
    from provetune.models.methods import METHODS
    from provetune.tasks import TASKS

    task, targets = TASKS.get(resolved["task"]), Targets.from_json(resolved["targets"])
    for name in order:
        candidate = problem.candidates[name]
        method = METHODS.get(candidate.method)
        if method.learns_from not in ("texts", "features") or (candidate.data is not None and candidate.data.draws):
            continue
        train, validation = (_labelled(_seen(folder, split, candidate)) for split in ("train", "validation"))
        train = _at_most(train)
        taken = _inputs(folder, name, candidate, resolved, threads, train, validation)
        if taken is None:
            continue
        labels = [_numbers(task, table, targets) for table in (train, validation)]
        return CheapLearner(
            name,
            task,
            targets,
            cast(FitMethod, method),
            method.settings.model_validate(candidate.extra),
            train,
            validation,
            *taken,
            *labels,
        )
    return None


def _inputs(
    folder: Path,
    name: str,
    candidate: Candidate,
    resolved: Mapping[str, Any],
    threads: int,
    train: pa.Table,
    validation: pa.Table,
) -> tuple[Any, Any] | None:
    from provetune.models.methods.tfidf import join_texts

    backbone = resolved["backbones"].get(name)
    if backbone is None:
        return list(join_texts(train)), list(join_texts(validation))
    spec = TrialSpec(
        study_folder=str(folder),
        folder=str(folder),
        cache=str(folder.parent.parent / "cache"),
        task=resolved["task"],
        candidate=name,
        k=0,
        seed=0,
        settings=candidate.model_dump(mode="json"),
        method_settings={},
        targets=resolved["targets"],
        backbone=backbone,
        device=str(resolved["machine"].get("device", "cpu")),
        threads=threads,
    )
    # Pieces are cut from whole splits, so whole splits are asked for and the rows wanted are taken out.
    found = [cached_features(spec, as_seen(spec, load_split(folder, split))) for split in ("train", "validation")]
    if found[0] is None or found[1] is None:
        return None
    return found[0][_places(folder, "train", train)], found[1][_places(folder, "validation", validation)]


def _seen(folder: Path, split: str, candidate: Candidate) -> pa.Table:
    """The rows of a split as the candidate learns from them or sees them."""
    from provetune.data.variants import apply_variant

    return apply_variant(load_split(folder, split), candidate.data, split, 0)


def _places(folder: Path, split: str, kept: pa.Table) -> Array:
    """Where the rows kept stand among all rows of their split."""
    import pyarrow.compute as pc

    found = pc.index_in(kept["row_id"], value_set=load_split(folder, split)["row_id"].combine_chunks())
    return np.asarray(found.to_numpy(), dtype=np.int64)


def _labelled(examples: pa.Table) -> pa.Table:
    return examples.filter(examples["label"].is_valid())


def _at_most(train: pa.Table) -> pa.Table:
    from provetune.data.drawing import ids_and_strata
    from provetune.data.variants import draw_share, keep_rows

    if train.num_rows <= MOST_ROWS:
        return train
    return keep_rows(train, draw_share(ids_and_strata(train), MOST_ROWS / train.num_rows, 0))


def _numbers(task: Task, examples: pa.Table, targets: Targets) -> Array:
    from provetune.study.fitted import label_array

    return label_array(task, examples, targets)
