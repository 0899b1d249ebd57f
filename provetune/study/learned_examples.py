"""Learning from a task's rows whole: baselines of tasks that are no sorting of texts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from provetune.core.events import Evaluated, Event, Finished, Started, to_json
from provetune.core.protocols import ExampleMethod, Task
from provetune.core.seeds import derive
from provetune.study.calibration import tune
from provetune.study.learned import Learned
from provetune.study.repeated import Repetition, first_run
from provetune.study.tracking import tracking
from provetune.study.trial_rows import learned_from, seen_rows
from provetune.study.trial_spec import TrialSpec

if TYPE_CHECKING:
    from collections.abc import Generator


def learn_examples(spec: TrialSpec) -> Generator[dict[str, Any], None, Learned]:
    """Fit a method that takes rows whole. Cut off, it starts again.

    Yields `Started`, `Evaluated` and `Finished` as JSON; they are also in the trial's ``events.jsonl``.
    """
    first = first_run(spec)
    run = _Learning(spec) if first is None else Repetition(spec, first)
    with tracking(spec) as tell:
        for event in run.events():
            tell(event)
            yield to_json(event)
    return run.learned()


class _Learning:
    """One trial's method and rows."""

    def __init__(self, spec: TrialSpec) -> None:
        from provetune.data.variants import keep_rows
        from provetune.models.methods import METHODS
        from provetune.tasks import TASKS

        self.spec, self.targets = spec, spec.label_names
        self.task: Task = TASKS.get(spec.task)
        self.method = cast(ExampleMethod, METHODS.get(spec.settings["method"]))
        train = seen_rows(spec, "train")
        self.rows = keep_rows(train, learned_from(spec, train))
        self.validation = seen_rows(spec, "validation")

    def events(self) -> Iterator[Event]:
        began = time.monotonic()
        yield Started(1, 0, {"threads": self.spec.threads, "features": self.rows.num_rows})
        self.model = self.method.fit(
            self.rows,
            self.task,
            self.targets,
            self.method.settings(**self.spec.method_settings),
            seed=derive(self.spec.seed, "fit"),
            validation=self.validation,
        )
        outputs, features = self.model.outputs(self.validation)
        answers = self.task.answers(outputs, features, self.validation, self.targets)
        self.targets = tune(self.task, answers, self.validation, self.targets)
        answers = self.task.answers(outputs, features, self.validation, self.targets)
        self.outcomes = self.task.outcomes(self.validation, answers, self.targets)
        self.scores = self.task.score(self.outcomes, self.targets)
        self.seconds = time.monotonic() - began
        yield Evaluated(1, self.scores, True)
        yield Finished(1, 1, self.scores, self.seconds, self.rows.num_rows)

    def learned(self) -> Learned:
        """The fitted model as it will be kept."""
        from provetune.study.keeping import write_learned

        record = {"temperature": 1.0, "metrics": {"validation": dict(self.scores)}}

        def write(folder: Path) -> None:
            kind = self.method.bundle_kind
            write_learned(folder, self.spec, self.task, self.targets, kind, self.model, record)

        count = self.rows.num_rows
        return Learned(
            outcomes=self.outcomes,
            write=write,
            seconds=self.seconds,
            temperature=1.0,
            details={"steps": 1, "best_step": 1, "examples": count, "training_rows": count},
        )
