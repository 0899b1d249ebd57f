"""Learning in one go: texts straight into a linear model, or features of a frozen backbone into a head."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from provetune.core.errors import UsageError
from provetune.core.events import Evaluated, Event, Finished, Started, to_json
from provetune.core.protocols import FitMethod, GivesLabelArrays, Task
from provetune.core.seeds import derive
from provetune.study.frozen_features import features_of
from provetune.study.learned import Learned
from provetune.study.repeated import Repetition, first_run
from provetune.study.tracking import tracking
from provetune.study.trained import fit_temperature, tune
from provetune.study.trial_rows import learned_from, seen_rows
from provetune.study.trial_spec import TrialSpec

if TYPE_CHECKING:
    from collections.abc import Generator

    import pyarrow as pa

    from provetune.core.protocols import Answers, Array, Targets


def fit_at_once(spec: TrialSpec) -> Generator[dict[str, Any], None, Learned]:
    """Fit a method that has no steps. Cut off, it starts again: it takes seconds.

    Yields `Started`, `Evaluated` and `Finished` as JSON; they are also in the trial's ``events.jsonl``.
    """
    first = first_run(spec)
    fit = _Fit(spec) if first is None else Repetition(spec, first)
    with tracking(spec) as tell:
        for event in fit.events():
            tell(event)
            yield to_json(event)
    return fit.learned()


class _Fit:
    """One trial's method and rows."""

    def __init__(self, spec: TrialSpec) -> None:
        from provetune.data.variants import keep_rows
        from provetune.models.methods import METHODS
        from provetune.tasks import TASKS

        self.spec, self.targets = spec, spec.label_names
        self.task: Task = TASKS.get(spec.task)
        self.method = cast(FitMethod, METHODS.get(spec.settings["method"]))
        self.train = seen_rows(spec, "train")
        self.kept = learned_from(spec, self.train)
        self.rows = keep_rows(self.train, self.kept)
        self.validation = seen_rows(spec, "validation")

    def events(self) -> Iterator[Event]:
        began = time.monotonic()
        yield Started(1, 0, {"threads": self.spec.threads, "features": self.rows.num_rows})
        inputs, checked = self._learned_inputs(), self._inputs(self.validation)
        weights = self.spec.label_weights
        self.model = self.method.fit(
            inputs,
            label_array(self.task, self.rows, self.targets),
            self.targets,
            self.method.settings(**self.spec.method_settings),
            seed=derive(self.spec.seed, "fit"),
            validation=(checked, label_array(self.task, self.validation, self.targets)),
            label_weights=None if weights is None else np.asarray(weights),
        )
        logits = self.model.logits(checked)
        self.temperature = fit_temperature(self.task, logits, None, self._outcomes(logits), self.targets)
        logits = logits / self.temperature
        self.targets = tune(self.task, self._answers(logits), self.validation, self.targets)
        self.outcomes = self._outcomes(logits)
        scores = self.task.score(self.outcomes, self.targets)
        self.seconds = time.monotonic() - began
        yield Evaluated(1, scores, True)
        yield Finished(1, 1, scores, self.seconds, self.rows.num_rows)

    def learned(self) -> Learned:
        """The fitted model as it will be kept."""
        from provetune.study.keeping import write_fitted

        # The chosen temperature becomes part of the weights: whoever loads the bundle needs to know of none.
        calibrated = self.model.scaled(self.temperature)
        scores = self.task.score(self.outcomes, self.targets)
        record = {"temperature": self.temperature, "metrics": {"validation": scores}}

        def write(folder: Path) -> None:
            write_fitted(folder, self.spec, self.task, self.targets, self.method.bundle_kind, calibrated, record)

        return Learned(
            outcomes=self.outcomes,
            write=write,
            seconds=self.seconds,
            temperature=self.temperature,
            details={
                "steps": 1,
                "best_step": 1,
                "examples": self.rows.num_rows,
                "training_rows": self.rows.num_rows,
            },
        )

    def _learned_inputs(self) -> Any:
        if self.method.learns_from != "features":
            return joined_texts(self.rows)
        # Of all rows, so that their pieces serve every share and every draw of one.
        features = features_of(self.spec, self.train)
        return features if self.kept is None else features[self.kept]

    def _inputs(self, examples: pa.Table) -> Any:
        """What the method learns from: texts (N), or features (N, D)."""
        if self.method.learns_from == "features":
            return features_of(self.spec, examples)
        return joined_texts(examples)

    def _answers(self, logits: Array) -> Answers:
        return self.task.answers(logits, None, self.validation, self.targets)

    def _outcomes(self, logits: Array) -> pa.Table:
        return self.task.outcomes(self.validation, self._answers(logits), self.targets)


def joined_texts(examples: pa.Table) -> Sequence[str]:
    """The texts (N), the two of a pair joined as the predictor joins them."""
    from provetune.models.methods.tfidf import join_texts

    return join_texts(examples)


def label_array(task: Task, examples: pa.Table, targets: Targets) -> Array:
    """Labels as a method that fits in one go takes them; see `provetune.core.protocols.GivesLabelArrays`.

    Raises:
        UsageError: the task's labels fit no array.
    """
    if not isinstance(task, GivesLabelArrays):
        raise UsageError(f"The labels of the task '{task.name}' cannot be fitted in one go.")
    return task.label_array(examples, targets)
