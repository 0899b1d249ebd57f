"""Asking a pretrained model by the labels' names and descriptions: nothing is learned from the rows.

The validation rows calibrate what it says, as those of every other candidate are: one temperature, and thresholds where
rows have several labels.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from provetune.core.errors import UsageError
from provetune.core.events import Evaluated, Event, Finished, Started, to_json
from provetune.core.little_data import LabelMethod
from provetune.core.protocols import Task
from provetune.study.calibration import fit_temperature, tune
from provetune.study.learned import Learned
from provetune.study.repeated import Repetition, first_run
from provetune.study.tracking import tracking
from provetune.study.trial_rows import seen_rows
from provetune.study.trial_spec import TrialSpec

if TYPE_CHECKING:
    from collections.abc import Generator

    from provetune.core.protocols import Array


def read_by_labels(spec: TrialSpec) -> Generator[dict[str, Any], None, Learned]:
    """Make a reader of the candidate's backbone and judge it. Cut off, it starts again.

    Yields `Started`, `Evaluated` and `Finished` as JSON; they are also in the trial's ``events.jsonl``.
    """
    first = first_run(spec)
    run = _Reading(spec) if first is None else Repetition(spec, first)
    with tracking(spec) as tell:
        for event in run.events():
            tell(event)
            yield to_json(event)
    return run.learned()


class _Reading:
    """One trial's reader and validation rows."""

    def __init__(self, spec: TrialSpec) -> None:
        from provetune.models.methods import METHODS
        from provetune.tasks import TASKS

        if spec.backbone is None:
            raise UsageError(f"Candidate '{spec.candidate}' has no backbone to ask.")
        self.spec, self.targets = spec, spec.label_names
        self.task: Task = TASKS.get(spec.task)
        self.validation = seen_rows(spec, "validation")
        method = cast(LabelMethod, METHODS.get(spec.settings["method"]))
        self.reader = method.read_labels(
            Path(spec.backbone["path"]),
            self.task,
            self.targets,
            method.settings(**spec.method_settings),
            encoding=spec.encoding,
            device=spec.device,
            precision=str(spec.settings["precision"]),
        )

    def events(self) -> Iterator[Event]:
        began = time.monotonic()
        yield Started(1, 0, {"threads": self.spec.threads, "features": 0})
        logits = self.reader.logits(self.validation)
        self.temperature = fit_temperature(self.task, logits, None, self._outcomes(logits), self.targets)
        self.reader = self.reader.scaled(self.temperature)
        logits = logits / self.temperature
        answers = self.task.answers(logits, None, self.validation, self.targets)
        self.targets = tune(self.task, answers, self.validation, self.targets)
        self.outcomes = self._outcomes(logits)
        self.scores = dict(self.task.score(self.outcomes, self.targets))
        self.seconds = time.monotonic() - began
        yield Evaluated(1, self.scores, True)
        yield Finished(1, 1, self.scores, self.seconds, 0)

    def learned(self) -> Learned:
        """The reader as it will be kept."""
        from provetune.study.keeping import golden_examples, write_encoder_and_head

        record = {"temperature": self.temperature, "metrics": {"validation": self.scores}}

        def write(folder: Path) -> None:
            examples = golden_examples(self.task, self.spec)
            parts = (self.reader.kind, self.reader.model, self.reader.tokenizer, self.reader)
            logits = self.reader.logits(examples)
            write_encoder_and_head(folder, self.spec, self.task, self.targets, parts, examples, logits, record)

        return Learned(
            outcomes=self.outcomes,
            write=write,
            seconds=self.seconds,
            temperature=self.temperature,
            details={"steps": 1, "best_step": 1, "examples": 0, "training_rows": 0},
        )

    def _outcomes(self, logits: Array) -> Any:
        answers = self.task.answers(logits, None, self.validation, self.targets)
        return self.task.outcomes(self.validation, answers, self.targets)
