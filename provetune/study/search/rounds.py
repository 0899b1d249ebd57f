"""The search of one candidate: rounds of trials, drawn by Optuna, done by workers, remembered on the disk.

A round has `ROUND` trials, whatever the machine: they are drawn together from what the rounds before have shown, and
none of them sees another's scores before all have ended. So the machine's number of cores changes how long a search
takes and nothing else.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.files import read_json, write_json
from provetune.core.seeds import derive
from provetune.study.engines import Job, Pool
from provetune.study.search.history import Ended, ask, importances
from provetune.study.search.space import chosen, distributions
from provetune.study.search.trial import KIND
from provetune.study.trial import RESULT

if TYPE_CHECKING:
    from provetune.problem.syntax import SearchRange, SearchSection
    from provetune.study.engines import Listener
    from provetune.study.trial_spec import TrialSpec

ROUND = 4
FOUND = "found.json"


@dataclass(frozen=True)
class CandidateSearch:
    """What is searched for one candidate.

    Attributes:
        candidate: its name.
        folder: where its trials lie.
        ranges: of each field.
        plan: budget and pruning.
        seed: of the draws and of every trial's run: all trials learn from the same draw of chance.
        make: settings to the trial that tries them, in a folder; raises `UsageError` where they cannot be.
    """

    candidate: str
    folder: Path
    ranges: Mapping[str, SearchRange | list[Any]]
    plan: SearchSection
    seed: int
    make: Callable[[Mapping[str, Any], Path], TrialSpec]

    def carry_out(self, pool: Pool, listener: Listener) -> dict[str, Any]:
        """Do whatever rounds are left; what was found, also in ``found.json``.

        Returns:
            ``settings`` of the best trial, its ``value``, ``importances`` and all ``trials``.
        """
        path = self.folder / FOUND
        if path.exists():
            found: dict[str, Any] = read_json(path)
            return found
        space = distributions(self.ranges)
        ended: list[Ended] = []
        number = 0
        while len(ended) < self.plan.trials and not self._spent(ended):
            drawn = self._draw(number, ended, space)
            ended += self._do(number, drawn, ended, pool, listener)
            number += 1
        document = self._document(ended, importances(ended, space))
        write_json(path, document)
        return document

    def _draw(self, number: int, ended: list[Ended], space: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Settings of a round, as they were drawn first."""
        path = self.folder / f"round-{number:03d}.json"
        if path.exists():
            kept: list[dict[str, Any]] = read_json(path)
            return kept
        count = min(ROUND, self.plan.trials - len(ended))
        asked = ask(ended, space, count, derive(self.seed, "round", str(number)))
        drawn = [chosen(each, self.ranges) for each in asked]
        write_json(path, drawn)
        return drawn

    def _do(
        self, number: int, drawn: list[dict[str, Any]], earlier: list[Ended], pool: Pool, listener: Listener
    ) -> list[Ended]:
        first = len(earlier)
        results: dict[int, Ended] = {}
        jobs: list[Job] = []
        for place, settings in enumerate(drawn, start=first):
            job = self._job(place, settings, earlier)
            if isinstance(job, Job):
                jobs.append(job)
            else:
                results[place] = job
        listener({"event": "note", "message": f"Search of '{self.candidate}', round {number + 1}: {len(jobs)} trials"})
        for name, outcome in pool.run(jobs, listener).items():
            place = int(name.rsplit("-", 1)[1])
            if outcome.result is not None:
                results[place] = Ended(**outcome.result)
            else:
                message = str((outcome.error or {}).get("message", "it failed"))
                results[place] = Ended(place, drawn[place - first], error=message)
        return [results[place] for place in sorted(results)]

    def _job(self, place: int, settings: Mapping[str, Any], earlier: list[Ended]) -> Job | Ended:
        from provetune.core.errors import ProvetuneError

        folder = self.folder / f"trial-{place:04d}"
        try:
            trial = self.make(settings, folder)
        except ProvetuneError as error:
            return Ended(place, settings, error=error.message)
        spec = {
            "trial": trial.to_json(),
            "number": place,
            "settings": dict(settings),
            "earlier": [asdict(one) for one in earlier],
            "ranges": {name: _written(value) for name, value in self.ranges.items()},
            "pruning": self.plan.prune,
        }
        return Job(f"search-{self.candidate}-{place}", KIND, spec)

    def _spent(self, ended: list[Ended]) -> bool:
        limit = self.plan.minutes
        return limit is not None and sum(one.seconds for one in ended) >= limit * 60

    def _document(self, ended: list[Ended], mattered: Mapping[str, float]) -> dict[str, Any]:
        whole = [one for one in ended if one.value is not None and not one.pruned]
        best = max(whole, key=lambda one: (one.value or 0.0, -one.number), default=None)
        return {
            "candidate": self.candidate,
            "settings": dict(best.settings) if best is not None else {},
            "number": best.number if best is not None else None,
            "value": best.value if best is not None else None,
            "importances": dict(mattered),
            "seconds": sum(one.seconds for one in ended),
            "trials": [asdict(one) for one in ended],
        }


def search_id(document: Mapping[str, Any]) -> str:
    """Short hash of all that a search depends on."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def has_ended(folder: Path) -> bool:
    """Whether a trial's folder has its result."""
    return (folder / RESULT).exists()


def _written(value: SearchRange | list[Any]) -> Any:
    return value if isinstance(value, list) else value.model_dump(mode="json")
