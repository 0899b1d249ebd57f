"""One trial: a candidate trained with one seed, scored on validation, kept as a bundle.

Its folder fills up in this order, each file whole or absent:

    events.jsonl         what training said, while it says it
    checkpoint/          where it can go on; gone when the trial has ended
    bundle/              the model that can be used
    validation.parquet   what it said about every validation row
    result.json          written last: where it lies, the trial has ended
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.files import disk_errors, read_json, write_json
from provetune.core.seeds import derive
from provetune.study.trial_spec import TrialSpec

if TYPE_CHECKING:
    from provetune.study.learned import Learned
    from provetune.study.worker import Work

RESULT = "result.json"
CHECKPOINT = "checkpoint"
BUNDLE = "bundle"
VALIDATION = "validation.parquet"
TEST = "test.parquet"
EVENTS = "events.jsonl"


def run_trial(spec: TrialSpec) -> Work:
    """Train, score and keep one run of a candidate, going on from its checkpoint where there is one.

    Yields the events of training as JSON; returns the trial's result, which is also in ``result.json``. A
    trial that has ended says so at once.

    Raises:
        ProvetuneError: it cannot be trained with these settings or rows, or the disk says no.
    """
    if (result := read_result(spec.place)) is not None:
        _remove_checkpoint(spec.place)
        return result
    with disk_errors(spec.place):
        spec.place.mkdir(parents=True, exist_ok=True)
    _sweep(spec.place)
    fix_arithmetic(spec)
    learned = yield from learn(spec)
    result = _keep(spec, learned)
    _remove_checkpoint(spec.place)
    return result


def train_job(spec: Mapping[str, Any]) -> Work:
    """A worker's job: one trial."""
    return (yield from run_trial(TrialSpec.from_json(spec)))


def read_result(folder: Path) -> dict[str, Any] | None:
    """The result of a trial that has ended, or None."""
    path = Path(folder) / RESULT
    if not path.exists():
        return None
    found: dict[str, Any] = read_json(path)
    return found


def fix_arithmetic(spec: TrialSpec) -> None:
    """Threads as the study fixed them, and every source of chance seeded by the trial's seed.

    A trial without a backbone does not compute with torch, so torch is not loaded for it.
    """
    seed = derive(spec.seed, "trial")
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if spec.backbone is None:
        return
    import torch

    if torch.get_num_threads() != spec.threads:
        torch.set_num_threads(spec.threads)
    torch.manual_seed(seed)


def learn(spec: TrialSpec) -> Any:
    """Learn as the candidate's method does: yields events as JSON, returns what was learned (`Learned`)."""
    from provetune.models.methods import METHODS

    if spec.folds is not None and spec.fold is None:
        from provetune.study.cross_validated import combine_rounds

        return (yield from combine_rounds(spec))
    learns_from = METHODS.get(spec.settings["method"]).learns_from
    if learns_from == "weights":
        from provetune.study.trained import train_weights

        return (yield from train_weights(spec))
    if learns_from == "examples":
        from provetune.study.learned_examples import learn_examples

        return (yield from learn_examples(spec))
    if learns_from == "contrasts":
        from provetune.study.contrasted import learn_by_contrast

        return (yield from learn_by_contrast(spec))
    if learns_from == "labels":
        from provetune.study.label_reading import read_by_labels

        return (yield from read_by_labels(spec))
    if learns_from == "members":
        from provetune.study.combined import combine_members

        return (yield from combine_members(spec))
    from provetune.study.fitted import fit_at_once

    return (yield from fit_at_once(spec))


def _keep(spec: TrialSpec, learned: Learned) -> dict[str, Any]:
    """Write the bundle, the outcomes and, last, the result."""
    from provetune.evaluation.outcomes import write_outcomes
    from provetune.tasks import TASKS

    scores = TASKS.get(spec.task).score(learned.outcomes, spec.label_names)
    learned.write(spec.place / BUNDLE)
    write_outcomes(spec.place / VALIDATION, learned.outcomes)
    result = {
        "candidate": spec.candidate,
        "k": spec.k,
        "seed": spec.seed,
        "scores": {name: float(value) for name, value in scores.items()},
        "seconds": learned.seconds,
        "temperature": learned.temperature,
        "details": dict(learned.details),
    }
    write_json(spec.place / RESULT, result)
    return result


def sweep_ended(folders: Iterable[Path]) -> None:
    """Remove checkpoints of runs that have ended: a kill may fall between a run's result and that."""
    for folder in folders:
        if (folder / RESULT).exists():
            _remove_checkpoint(folder)


def _remove_checkpoint(folder: Path) -> None:
    shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what a kill left in the middle of writing."""
    for path in (*folder.glob(".*.part"), *folder.glob(".*.retired-*"), *folder.glob(f"{CHECKPOINT}/.*.part")):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
