"""One trial of a search, in a worker: trained, looked at on validation rows, given up early; nothing of it is kept but
what it scored."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.files import disk_errors, read_json, write_json
from provetune.core.protocols import Metric
from provetune.study.search.history import Ended, study_of
from provetune.study.trial import CHECKPOINT, RESULT, fix_arithmetic, learn, sweep_ended
from provetune.study.trial_spec import TrialSpec

if TYPE_CHECKING:
    from provetune.study.worker import Work

KIND = f"{__name__}:search_job"


def search_job(spec: Mapping[str, Any]) -> Work:
    """A worker's job: one trial. Cut off, it goes on from its checkpoint; ended, it says so at once.

    Args:
        spec: ``trial`` (a `TrialSpec`), ``number``, ``settings``, ``earlier`` (trials of the rounds before), ``ranges``
            and ``pruning``.
    """
    trial = TrialSpec.from_json({**spec["trial"], "threads": spec["threads"]})
    if (trial.place / RESULT).exists():
        sweep_ended([trial.place])
        found: dict[str, Any] = read_json(trial.place / RESULT)
        return found
    with disk_errors(trial.place):
        trial.place.mkdir(parents=True, exist_ok=True)
    fix_arithmetic(trial)
    ended = yield from _carry_out(trial, spec)
    result = asdict(ended)
    write_json(trial.place / RESULT, result)
    shutil.rmtree(trial.place / CHECKPOINT, ignore_errors=True)
    return result


def _carry_out(trial: TrialSpec, spec: Mapping[str, Any]) -> Any:
    metric = _metric_of(trial)
    looks = _Looks(spec)
    seconds, given_up = 0.0, False
    # What was scored before a kill is in the events; the loop does not score it again.
    for event in _events_before(trial.place):
        seconds = float(event.get("seconds", seconds))
        given_up = given_up or looks.take(event, metric)
    work = iter(()) if given_up else learn(trial)
    for event in work:
        yield event
        seconds = float(event.get("seconds", seconds))
        if looks.take(event, metric) or event.get("event") == "finished":
            # Nothing is merged, calibrated or kept: the study that follows trains anew.
            work.close()
            break
    best = max(looks.scores) if looks.scores else None
    return Ended(
        int(spec["number"]), dict(spec["settings"]), tuple(looks.scores), best, looks.pruned, looks.rungs(), seconds
    )


class _Looks:
    """The scores of one trial so far, and whether it is worth going on."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        from provetune.problem.syntax import SearchRange
        from provetune.study.search.space import distributions, storable

        ranges = {
            name: value if isinstance(value, list) else SearchRange.model_validate(value)
            for name, value in spec["ranges"].items()
        }
        space = distributions(ranges)
        earlier = [Ended(**one) for one in spec["earlier"]]
        self.study = study_of(earlier, space, pruning=str(spec["pruning"]))
        self.study.enqueue_trial({name: storable(value) for name, value in spec["settings"].items()})
        self.trial = self.study.ask(dict(space))
        self.scores: list[float] = []
        self.steps: set[int] = set()
        self.pruned = False

    def take(self, event: Mapping[str, Any], metric: Metric) -> bool:
        """Note a look; whether the trial is given up there."""
        if event.get("event") != "evaluated" or int(event["step"]) in self.steps:
            return False
        self.steps.add(int(event["step"]))
        value = float(event["scores"][metric.name])
        self.scores.append(value if metric.higher_is_better else -value)
        self.trial.report(self.scores[-1], len(self.scores))
        self.pruned = bool(self.trial.should_prune())
        return self.pruned

    def rungs(self) -> dict[str, Any]:
        """What the pruner noted of this trial."""
        frozen = self.study.trials[self.trial.number]
        return {key: value for key, value in frozen.system_attrs.items() if key.startswith("completed_rung")}


def _metric_of(trial: TrialSpec) -> Metric:
    from provetune.study.objectives import checkpoint_metric, objectives_of
    from provetune.tasks import TASKS

    return checkpoint_metric(TASKS.get(trial.task), [objective for objective, _ in objectives_of(trial)])


def _events_before(folder: Path) -> Sequence[Mapping[str, Any]]:
    from provetune.study.event_log import read_events
    from provetune.study.trial import EVENTS

    path = folder / EVENTS
    return list(read_events(path)) if path.exists() and (folder / CHECKPOINT).exists() else []
