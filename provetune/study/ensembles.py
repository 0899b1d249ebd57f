"""One run of an ensemble: its models are asked one after another, and their mean is calibrated on validation rows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from provetune.core.events import Evaluated, Event, Finished, Started
from provetune.core.protocols import Task
from provetune.study.calibration import calibrate
from provetune.study.learned import Learned
from provetune.study.members import Share, share_name, shared_details
from provetune.study.trial_rows import seen_rows
from provetune.study.trial_spec import TrialSpec


class Ensemble:
    """One run's models, asked one after another."""

    def __init__(self, spec: TrialSpec, shares: Sequence[Share], results: Sequence[Mapping[str, Any]]) -> None:
        from provetune.tasks import TASKS

        self.spec, self.targets, self.shares, self.results = spec, spec.label_names, shares, results
        self.task: Task = TASKS.get(spec.task)
        self.validation = seen_rows(spec, "validation")

    def events(self) -> Iterator[Event]:
        from provetune.inference.backends.ensemble import EnsembleModel
        from provetune.inference.predictor import load
        from provetune.study.trial import BUNDLE

        began = time.monotonic()
        yield Started(1, 0, {"threads": self.spec.threads, "features": 0})
        opened = [load(share.folder / BUNDLE, device=self.spec.device) for share in self.shares]
        model = EnsembleModel(opened, self.task, self.targets)
        logits, _ = model.outputs(self.validation)
        found = calibrate(self.task, logits, None, self.validation, self.targets)
        self.temperature, self.targets = found.temperature, found.targets
        self.outcomes, self.scores = found.outcomes, dict(found.scores)
        self.model = EnsembleModel(opened, self.task, self.targets, self.temperature)
        self.seconds = time.monotonic() - began
        yield Evaluated(1, self.scores, True)
        yield Finished(1, 1, self.scores, self.seconds, 0)

    def learned(self) -> Learned:
        """The models as they will be kept, in one bundle."""
        from provetune.study.keeping import write_learned

        record = {"temperature": self.temperature, "metrics": {"validation": self.scores}}

        def write(folder: Path) -> None:
            write_learned(folder, self.spec, self.task, self.targets, "ensemble", self.model, record)

        return Learned(
            outcomes=self.outcomes,
            write=write,
            seconds=self.seconds,
            temperature=self.temperature,
            details={**shared_details(self.shares, self.results), "kept": [share_name(share) for share in self.shares]},
        )
