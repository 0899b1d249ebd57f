"""The studies behind the table of tasks: a cell's problem file, and what it resolves to.

Runs of one set differ in nothing but their seed. That is hashed from the candidate's name, so a cell's candidate is
called ``ours_0``, ``ours_1``, …: validation and test rows stay the same ones for all.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import DATA
from task_sets import SETS, TaskSet

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import EncodeSettings
    from provetune.study.resolved import ResolvedStudy
    from provetune.study.trial_spec import TrialSpec

SPLIT_SEED = 13
OURS = "ours"


def candidate_name(who: str, seed: int) -> str:
    """The name that gives a run its seed."""
    return f"{who}_{seed}"


def write_problem(name: str, who: str, candidate: dict[str, Any], seed: int, workspace: Path) -> Path:
    """A cell's problem file, written into the workspace."""
    workspace.mkdir(parents=True, exist_ok=True)
    path = workspace / f"{name}-{who}-{seed}.yaml"
    problem = problem_of(name, SETS[name], who, candidate, seed)
    path.write_text(json.dumps(problem, indent=2, ensure_ascii=False), encoding="utf-8")
    return path


def problem_of(name: str, facts: TaskSet, who: str, candidate: dict[str, Any], seed: int) -> dict[str, Any]:
    """The problem file of a cell: one candidate, one run."""
    from provetune.models.methods import METHODS

    data = _data(name, facts)
    settled = dict(candidate)
    learns_from = METHODS.get(str(candidate["method"])).learns_from
    if learns_from == "weights" and facts.backbone != "auto":
        shared = DATA.parent / facts.backbone
        settled["backbone"] = str(shared) if shared.exists() else facts.backbone
    if facts.rows is not None and candidate["method"] != "untrained":
        count = training_rows(name)
        if count > facts.rows:
            settled["data"] = {"share": facts.rows / count}
    return {
        "name": f"{name}-{who}-{seed}",
        "task": facts.task,
        "language": facts.language,
        "options": facts.options,
        "data": data,
        "candidates": {candidate_name(who, seed): settled},
        "study": {"seeds": 1},
    }


@cache
def training_rows(name: str) -> int:
    """Training rows of a set, once validation and test rows are drawn."""
    from provetune.data.splits import make_splits
    from provetune.problem.syntax import Data
    from provetune.tasks import TASKS

    facts = SETS[name]
    return int(make_splits(Data(**_data(name, facts)), Path(), TASKS.get(facts.task)).train.num_rows)


def resolved_study(path: Path) -> ResolvedStudy:
    """A cell's rows, targets, backbone and settings, nothing left to choose."""
    from provetune.problem.reading import read_problem
    from provetune.study.problem_checks import baseline_of, problem_checks
    from provetune.study.resolve import resolve

    return resolve(read_problem(path, checks=problem_checks(), baseline_of=baseline_of))


def learned_rows(study: ResolvedStudy, candidate: str, k: int = 0) -> pa.Table:
    """The training rows that a candidate's k-th run learns from, those of its share or subset alone."""
    from provetune.core.seeds import derive
    from provetune.data.variants import apply_variant

    data, seed = study.problem.candidates[candidate].data, study.seeds(candidate)[k]
    return apply_variant(study.splits.train, data, "train", derive(seed, "rows"))


def _data(name: str, facts: TaskSet) -> dict[str, Any]:
    """The problem file's section, with whole file names."""
    folder = DATA / (facts.folder or name)
    files = ("train", "validation", "test")
    written = {key: str(folder / value) if key in files else value for key, value in facts.data.items()}
    return {**written, "split": {**facts.data.get("split", {}), "seed": SPLIT_SEED}}


def spec_of(study: ResolvedStudy, candidate: str) -> TrialSpec:
    """What a run of a candidate is told, but for the folders that it would write to."""
    from provetune.study.trial_spec import TrialSpec

    backbone = study.backbones[candidate]
    return TrialSpec(
        study_folder="",
        folder="",
        cache="",
        task=study.problem.task,
        candidate=candidate,
        k=0,
        seed=study.seeds(candidate)[0],
        settings=study.problem.candidates[candidate].model_dump(mode="json"),
        method_settings=study.settings[candidate].model_dump(mode="json"),
        targets=study.targets.to_json(),
        backbone=None if backbone is None else {"path": str(backbone.path)},
        study=study.problem.study.model_dump(mode="json"),
        device=study.device,
    )


def encoding_of(study: ResolvedStudy, candidate: str) -> EncodeSettings:
    """How a candidate's texts become tokens."""
    return spec_of(study, candidate).encoding
