"""One cross-validated run: its rounds have been trained before, as trials of their own, and are put together here.

What it says of validation rows is what the rounds say, of each row that one which validated on it. Its bundle is the
mean of the rounds' models, each calibrated on the rows that validated for it; where a task's answers have no mean
(spans, written texts), it is the model of the round with the median validation score.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.combining import WritesOutputs
from provetune.core.events import Evaluated, Event, Finished, Started, to_json
from provetune.core.files import atomic_path, link_or_copy
from provetune.core.protocols import Joins, Task, Tunable
from provetune.study.fold_trials import fold_specs, join_rounds
from provetune.study.learned import Learned
from provetune.study.tracking import tracking
from provetune.study.trial_rows import seen_rows
from provetune.study.trial_spec import TrialSpec

if TYPE_CHECKING:
    from collections.abc import Generator

    from provetune.core.protocols import Targets
    from provetune.inference.predictor import Predictor

_MEAN = (
    "Cross-validated: the mean of {count} models, each of which learned without two of {count} folds of the rows. The "
    "scores are of these models one by one, each on the rows held out from it; no row is left that the mean of them "
    "has not seen, so nothing is proven of this very bundle."
)
_MEDIAN = (
    "Cross-validated: of {count} models that of the fold with the median validation score, because answers of this "
    "task have no mean. The scores are of all {count}, each on the rows held out from it; this model alone was tried "
    "on its own fold."
)


def combine_rounds(spec: TrialSpec) -> Generator[dict[str, Any], None, Learned]:
    """Put the rounds of a cross-validated run together. Cut off, it starts again: it takes seconds.

    Yields `Started`, `Evaluated` and `Finished` as JSON; they are also in the trial's ``events.jsonl``.

    Raises:
        RuntimeError: a round failed, so the run does.
    """
    run = _Rounds(spec)
    with tracking(spec) as tell:
        for event in run.events():
            tell(event)
            yield to_json(event)
    return run.learned()


class _Rounds:
    """The trials of one run, ended."""

    def __init__(self, spec: TrialSpec) -> None:
        from provetune.tasks import TASKS

        self.spec, self.targets = spec, spec.label_names
        self.task: Task = TASKS.get(spec.task)
        self.rounds = fold_specs(spec)
        self.results = [_result_of(each) for each in self.rounds]
        self.averaged = isinstance(self.task, WritesOutputs)

    def events(self) -> Iterator[Event]:
        from provetune.study.trial import VALIDATION

        began = time.monotonic()
        yield Started(1, 0, {"threads": self.spec.threads, "features": 0})
        self.outcomes = join_rounds(self.spec, VALIDATION)
        self.scores = dict(self.task.score(self.outcomes, self.targets))
        if self.averaged:
            self._average()
        # A run takes as long as all that it is made of.
        self.seconds = time.monotonic() - began + sum(float(each["seconds"]) for each in self.results)
        yield Evaluated(1, self.scores, True)
        yield Finished(1, 1, self.scores, self.seconds, 0)

    def learned(self) -> Learned:
        """The rounds as one model."""
        rows = max(int(each["details"].get("training_rows") or 0) for each in self.results)
        kept = [each.id for each in self.rounds] if self.averaged else [self.rounds[self._median()].id]
        return Learned(
            outcomes=self.outcomes,
            write=self._write_mean if self.averaged else self._write_median,
            seconds=self.seconds,
            details={"steps": 1, "best_step": 1, "examples": 0, "training_rows": rows, "folds": kept},
        )

    def _average(self) -> None:
        from provetune.inference.backends.ensemble import EnsembleModel
        from provetune.inference.predictor import load
        from provetune.study.trial import BUNDLE

        opened = [load(each.place / BUNDLE, device=self.spec.device) for each in self.rounds]
        if isinstance(self.task, Tunable):
            self.targets = self._tuned(self.task, opened)
        self.model = EnsembleModel(opened, self.task, self.targets)

    def _tuned(self, task: Tunable, opened: list[Predictor]) -> Targets:
        """One decision for all models: fitted to what each says of the rows that validated for it."""
        import pyarrow as pa

        rows = [seen_rows(each, "validation") for each in self.rounds]
        answers = [model.answers(part) for model, part in zip(opened, rows, strict=True)]
        together = answers[0].joined(answers[1:]) if isinstance(answers[0], Joins) else np.concatenate(answers)
        return task.tune(together, pa.concat_tables(rows), self.targets)

    def _median(self) -> int:
        metric = self.task.metrics[0]
        sign = 1 if metric.higher_is_better else -1
        ordered = sorted(range(len(self.rounds)), key=lambda n: (sign * self.results[n]["scores"][metric.name], n))
        return ordered[(len(ordered) - 1) // 2]

    def _said(self) -> dict[str, Any]:
        words = _MEAN if self.averaged else _MEDIAN
        return {"folds": len(self.rounds), "said": words.format(count=len(self.rounds))}

    def _write_mean(self, folder: Path) -> None:
        from provetune.study.keeping import write_learned

        record = {"temperature": 1.0, "metrics": {"validation": self.scores}, "cross_validation": self._said()}
        write_learned(folder, self.spec, self.task, self.targets, "ensemble", self.model, record)

    def _write_median(self, folder: Path) -> None:
        from provetune.models.bundle import update_record
        from provetune.study.trial import BUNDLE

        with atomic_path(folder) as temporary:
            shutil.copytree(self.rounds[self._median()].place / BUNDLE, temporary, copy_function=link_or_copy)
        metrics = {"validation": self.scores}
        update_record(folder, seed=self.spec.seed, metrics=metrics, cross_validation=self._said())


def _result_of(spec: TrialSpec) -> Mapping[str, Any]:
    from provetune.study.trial import BUNDLE, read_result

    result = read_result(spec.place)
    if result is None or not (spec.place / BUNDLE).is_dir():
        # No fault of the settings: the others go on, and this run counts as failed, as its round does.
        raise RuntimeError(f"Its fold {spec.id} has not ended well.")
    return result
