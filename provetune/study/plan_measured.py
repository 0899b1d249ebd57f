"""What each candidate takes in time and memory: measured on a few rows, and remembered by what it depends on."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.files import disk_errors, read_json, write_json
from provetune.core.processor import processor_name, usable_cores
from provetune.core.protocols import BY_STEPS, WITHOUT_BACKBONE
from provetune.study.engines import ENGINES, Job
from provetune.study.members import members_of
from provetune.study.other_rows import save_other_rows
from provetune.study.plan_rehearsal import JOB
from provetune.study.splits_store import save_splits
from provetune.study.trial_plan import learns_from, make_specs
from provetune.study.workspace import Workspace
from provetune.version import __version__

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.study.resolved import ResolvedStudy
    from provetune.study.trial_spec import TrialSpec

_FORMAT = 2
_STEPS = 8
_FEATURE_ROWS, _TEXT_ROWS = 256, 2_000
_SCORED_ROWS = 64
# What a study multiplies by afterwards, or what says nothing about the time of a row.
_NOT_IN_KEY = ("epochs", "evaluations", "patience", "data", "learning_rate", "weight_decay", "warmup", "label_weights")


@dataclass(frozen=True)
class Measurements:
    """Where measurements of a study's candidates are kept, and how they are made.

    Args:
        threads: computing threads of a trial; a measurement holds for these.
    """

    resolved: ResolvedStudy
    workspace: Workspace
    threads: int

    def known(self, name: str) -> dict[str, Any] | None:
        """What was measured of a candidate earlier, or None."""
        try:
            found: dict[str, Any] = read_json(self._file(name))["measured"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return found

    def measure(self, on_measure: Callable[[str], None]) -> Iterator[str]:
        """Measure the candidates that are not known, one process each; yields what went wrong, a sentence each.

        Args:
            on_measure: told the name of each candidate before it is measured.
        """
        for name in self.resolved.problem.candidates:
            # What is made of others costs what they do.
            if not members_of(self.resolved.problem.candidates[name]) and self.known(name) is None:
                on_measure(name)
                yield from self._measure(name)

    def _measure(self, name: str) -> Iterator[str]:
        with self._small_study(name) as (trial, logs), ENGINES.get("local").open(1, self.threads, logs) as pool:
            job = Job(name, JOB, {"trial": trial.to_json()}, retries=0)
            outcome = pool.run([job], lambda event: None)[name]
        if outcome.error is not None:
            yield f"'{name}' could not be measured: {outcome.error['message']}"
        elif outcome.result is not None:
            write_json(self._file(name), {"format_version": _FORMAT, "measured": dict(outcome.result)})

    @contextmanager
    def _small_study(self, name: str) -> Iterator[tuple[TrialSpec, Path]]:
        """A trial of this candidate on some training and validation rows, in a folder that goes afterwards."""
        splits = self.resolved.splits
        some = replace(
            splits,
            train=_some_rows(splits.train, self._sample_size(name)),
            validation=_some_rows(splits.validation, _SCORED_ROWS),
            test=splits.test.slice(0, 0),
        )
        with disk_errors(self.workspace.cache):
            self.workspace.cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix="plan-", dir=self.workspace.cache, ignore_cleanup_errors=True
        ) as temporary:
            place = Workspace(Path(temporary), "plan", "")
            save_splits(place.study_folder(self.resolved.study_id), some)
            save_other_rows(place.study_folder(self.resolved.study_id), self.resolved.other_rows)
            specs = make_specs(self.resolved, place, self.threads)
            spec = next(spec for spec in specs if spec.candidate == name)
            # Every layer learns, as in the last epochs of gradual unfreezing.
            once = {"epochs": 1.0, "evaluations": 1, "patience": None, "data": None, "unfreeze": "all"}
            yield replace(spec, settings={**spec.settings, **once}, study={}, folds=None), Path(temporary) / "logs"

    def _sample_size(self, name: str) -> int:
        candidate = self.resolved.problem.candidates[name]
        kind = learns_from(candidate.method)
        if kind not in BY_STEPS:
            return _TEXT_ROWS if kind in WITHOUT_BACKBONE else _FEATURE_ROWS
        return _STEPS * int(candidate.batch_rows) * candidate.accumulate

    def _file(self, name: str) -> Path:
        return self.workspace.cache / f"plan-{self._key(name)}.json"

    def _key(self, name: str) -> str:
        """Hash of what time and memory depend on."""
        candidate, backbone = self.resolved.problem.candidates[name], self.resolved.backbones.get(name)
        settings = {key: value for key, value in candidate.model_dump(mode="json").items() if key not in _NOT_IN_KEY}
        facts = [
            _FORMAT,
            __version__,
            self.resolved.task.name,
            settings,
            None if backbone is None else backbone.content_hash,
            self.resolved.splits.hashes["train"],
            [self.resolved.device, self.threads, processor_name(), usable_cores(), version("torch")],
        ]
        return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def _some_rows(table: pa.Table, most: int) -> pa.Table:
    """At most so many rows, spread evenly; the same ones each time."""
    if table.num_rows <= most:
        return table
    return table.take(np.linspace(0, table.num_rows - 1, most).astype(np.int64))
