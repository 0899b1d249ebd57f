"""Which trials of a study have ended and how: kept in the ledger, told by the engine's events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from provetune.core import errors
from provetune.core.errors import ProvetuneError
from provetune.core.protocols import TrialRecord
from provetune.ledger.records import Ledger
from provetune.study.engines import Listener
from provetune.study.trial import read_result
from provetune.study.trial_spec import TrialSpec


class TrialBook:
    """The trials of a study.

    Args:
        specs: all of them, in the problem file's order.
        listener: told every event after it was noted.
    """

    def __init__(
        self, ledger: Ledger, study_key: int, specs: list[TrialSpec], folder: Path, listener: Listener
    ) -> None:
        self.specs = specs
        self._ledger, self._key, self._folder, self._listener = ledger, study_key, folder, listener
        self._by_id = {spec.id: spec for spec in specs}
        self._results: dict[str, dict[str, Any]] = {}
        self._failures: dict[str, str] = {}
        self._find_stored()

    def waiting(self) -> list[TrialSpec]:
        """Trials that are still to be done: those that failed in this session, or are to stay failed, are not."""
        return [spec for spec in self.specs if spec.id not in self._results and spec.id not in self._failures]

    def keep_failures(self, specs: Iterable[TrialSpec]) -> None:
        """Let runs that failed in an earlier session stay failed: the test was opened without them."""
        errors = {
            (each.candidate, each.k): each.error for each in self._ledger.trials(self._key) if each.status == "failed"
        }
        for spec in specs:
            if spec.id not in self._results and (spec.candidate, spec.k) in errors:
                self._failures[spec.id] = errors[spec.candidate, spec.k] or "it failed"

    def finished(self, candidate: str) -> list[TrialRecord]:
        """Runs of a candidate that ended well, by number."""
        return [self._record(spec) for spec in self.specs if spec.candidate == candidate and spec.id in self._results]

    def failures(self, candidate: str) -> dict[int, str]:
        """Why runs of a candidate failed, by number."""
        return {
            spec.k: self._failures[spec.id]
            for spec in self.specs
            if spec.candidate == candidate and spec.id in self._failures
        }

    def spec(self, candidate: str, k: int) -> TrialSpec:
        return self._by_id[f"{candidate}-{k}"]

    def hear(self, event: dict[str, Any]) -> None:
        """Note an event of the engine and pass it on.

        Raises:
            ProvetuneError: a trial said what a person can put right (a setting, a row, a full disk): the
                others would meet it too, so it ends the session at once.
        """
        spec = self._by_id.get(event.get("id", ""))
        if event["event"] != "job":
            self._listener(event)
            return
        if spec is not None and event["job"] == "train":
            self._note(spec, event)
        self._listener(event)
        if event["state"] == "failed":
            raise_if_expected(event["error"])

    def _note(self, spec: TrialSpec, event: Mapping[str, Any]) -> None:
        if event["state"] == "running":
            folder = Path(spec.folder).relative_to(self._folder).as_posix()
            self._ledger.start_trial(self._key, spec.candidate, spec.k, folder=folder)
        elif event["state"] == "done":
            self._finish(spec, dict(event["result"]))
        elif event["state"] == "failed":
            self._failures[spec.id] = event["message"]
            self._ledger.fail_trial(self._key, spec.candidate, spec.k, error=event["message"])

    def _finish(self, spec: TrialSpec, result: dict[str, Any]) -> None:
        self._results[spec.id] = result
        self._ledger.finish_trial(
            self._key,
            spec.candidate,
            spec.k,
            scores=result["scores"],
            seconds=result["seconds"],
            details=result["details"],
        )

    def _find_stored(self) -> None:
        """Trials that ended in an earlier session; one may have ended just before it was noted."""
        status = {(each.candidate, each.k): each.status for each in self._ledger.trials(self._key)}
        for spec in self.specs:
            if (result := read_result(Path(spec.folder))) is None:
                continue
            if status.get((spec.candidate, spec.k)) == "finished":
                self._results[spec.id] = result
            else:
                self._finish(spec, result)

    def _record(self, spec: TrialSpec) -> TrialRecord:
        result = self._results[spec.id]
        return TrialRecord(
            candidate=spec.candidate,
            k=spec.k,
            seed=spec.seed,
            folder=Path(spec.folder).relative_to(self._folder).as_posix(),
            scores=result["scores"],
            seconds=result["seconds"],
        )


def raise_if_expected(error: Mapping[str, Any]) -> None:
    """Raise a worker's error again if it is one of ours, unless it only says that the worker died."""
    if not error.get("expected") or error.get("died"):
        return
    kind = getattr(errors, str(error["type"]), ProvetuneError)
    if not (isinstance(kind, type) and issubclass(kind, ProvetuneError)) or kind is errors.ProblemFileError:
        kind = ProvetuneError
    raise kind(error["message"], where=error.get("where"), hint=error.get("hint"))
