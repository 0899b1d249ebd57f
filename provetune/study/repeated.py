"""Runs of a method that draws no number: the first one is trained, the others are the same and need not be.

They stay runs of their own, each with its folder, outcomes and bundle, so that whatever reads a study finds the
same things for every candidate.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.events import Evaluated, Event, Finished, Started
from provetune.core.files import atomic_path, link_or_copy
from provetune.study.learned import Learned
from provetune.study.trial_spec import TrialSpec

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.problem.syntax import Candidate

BUNDLE, VALIDATION = "bundle", "validation.parquet"


def is_deterministic(candidate: Candidate | Mapping[str, Any], *, folds: object = None) -> bool:
    """Whether all runs of a candidate are equal, whatever their seeds.

    They are where its method draws no number and it learns from all rows: which rows a share or a subset holds, and
    which a fold, is drawn anew for each seed.

    Args:
        candidate: as resolved, or its fields as JSON (`TrialSpec.settings`).
        folds: of the study's cross-validation, if there is one.
    """
    from provetune.models.methods import METHODS

    if folds is not None:
        return False
    if isinstance(candidate, Mapping):
        method, written = candidate["method"], candidate.get("data") or {}
        draws = written.get("share", 1.0) < 1 or written.get("subset") is not None
    else:
        method, draws = candidate.method, candidate.data is not None and candidate.data.draws
    return not draws and bool(getattr(METHODS.get(method), "deterministic", False))


def first_run(spec: TrialSpec) -> Path | None:
    """Folder of the ended run that this one would only repeat, or None where it has to be trained."""
    from provetune.study.trial import read_result

    if spec.k == 0 or not is_deterministic(spec.settings, folds=spec.folds):
        return None
    folder = spec.place.with_name(f"{spec.candidate}-0")
    ended = read_result(folder) is not None and (folder / BUNDLE).is_dir()
    return folder if ended else None


class Repetition:
    """A run that takes over what the first one found."""

    def __init__(self, spec: TrialSpec, first: Path) -> None:
        from provetune.evaluation.outcomes import read_outcomes
        from provetune.study.trial import read_result

        self.spec, self.first = spec, first
        self.result: dict[str, Any] = read_result(first) or {}
        self.outcomes: pa.Table = read_outcomes(first / VALIDATION)
        self.began = time.monotonic()

    def events(self) -> Iterator[Event]:
        scores = self.result["scores"]
        yield Started(1, 0, {"threads": self.spec.threads, "same_as": self.first.name})
        yield Evaluated(1, scores, True)
        yield Finished(1, 1, scores, time.monotonic() - self.began, self.result["details"]["examples"])

    def learned(self) -> Learned:
        """The first run's model under this run's name."""
        return Learned(
            outcomes=self.outcomes,
            write=self._write,
            seconds=time.monotonic() - self.began,
            temperature=self.result["temperature"],
            details={**self.result["details"], "same_as": self.first.name},
        )

    def _write(self, folder: Path) -> None:
        from provetune.models.bundle import update_record

        with atomic_path(folder) as temporary:
            shutil.copytree(self.first / BUNDLE, temporary, copy_function=link_or_copy)
        update_record(folder, seed=self.spec.seed, k=self.spec.k)
