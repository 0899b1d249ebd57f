"""From a problem file to a study in which nothing is left to choose: every `auto` replaced, and said why."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from provetune.core.errors import UsageError
from provetune.core.protocols import Targets
from provetune.core.suggest import advice
from provetune.models.devices import check_device
from provetune.problem.claims import parse_claim
from provetune.problem.reading import ProblemFile
from provetune.problem.scopes import Scope, parse_accept_key
from provetune.problem.syntax import AUTO, Problem
from provetune.study.choices import CandidateChooser
from provetune.study.fold_checks import divide_rows
from provetune.study.gate import refuse_blocking
from provetune.study.lengths import sample_rows
from provetune.study.machine import code_hash, describe_machine
from provetune.study.members import refuse_unfit_members
from provetune.study.problem_checks import add_baseline, problem_checks
from provetune.study.resolved import ResolvedStudy
from provetune.study.scope_rows import check_rows

if TYPE_CHECKING:
    from provetune.data.splits import Splits
    from provetune.models.download import Listener

__all__ = ["ResolvedStudy", "problem_checks", "resolve"]

LANGUAGE_ROWS = 2_000
# Fields that change neither a result nor what is claimed: where files lie, how they are read, what is kept.
_NOT_IDENTITY = {
    "data": ("train", "validation", "test", "encoding", "delimiter", "header"),
    "study": ("keep", "checkpoint_minutes", "checkpoint_steps", "trackers", "parallel"),
}
_HASH_LETTERS = 8
_SLUG_LETTERS = 60


def resolve(problem_file: ProblemFile, *, device: str = "auto", progress: Listener | None = None) -> ResolvedStudy:
    """Read the rows, find the backbones, and make every choice that the file leaves open.

    Args:
        problem_file: read with `problem_checks`.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        progress: told about a backbone's download.

    Raises:
        DataError: the rows cannot be read, divided or learned from.
        UsageError: names or settings that do not go together; says where in the file.
        EnvironmentFault, CorruptError: a backbone cannot be fetched or is not what was recorded.
    """
    from provetune.tasks import TASKS

    check_device(device)
    problem = problem_file.problem
    problem = problem.model_copy(update={"candidates": add_baseline(problem.candidates, problem.task)})
    task = TASKS.get(problem.task)
    splits = divide_rows(problem_file, task, problem.study.seeds)
    targets = task.targets(splits.train, out_of_scope=problem.data.out_of_scope, options=problem.options)
    named = problem.options.get("labels") or ()
    refuse_blocking(splits, task, out_of_scope=problem.data.out_of_scope, labels=named)
    check_scopes(problem_file, targets, splits)
    notes = [*splits.notes]
    problem = _with_language(problem, splits, notes)
    chooser = CandidateChooser(problem_file, problem, task, targets, splits, device, progress, notes)
    for name in problem.candidates:
        chooser.settle(name)
    refuse_unfit_members(chooser.candidates, chooser.backbones, lambda *keys: problem_file.where("candidates", *keys))
    data = problem.data.model_copy(update={"columns": splits.columns})
    final = problem.model_copy(
        update={"candidates": chooser.candidates, "data": data, "options": dict(targets.options)}
    )
    data_hash = _digest(dict(splits.hashes))
    weights = {name: None if each is None else each.content_hash for name, each in chooser.backbones.items()}
    identity = study_identity(final, problem, weights)
    if files := {name: hashes for name, hashes in chooser.files.items() if hashes}:
        identity["files"] = files
    return ResolvedStudy(
        problem=final,
        path=problem_file.path,
        task=task,
        splits=splits,
        targets=targets,
        backbones=chooser.backbones,
        settings=chooser.settings,
        notes=tuple(dict.fromkeys(notes)),
        study_id=f"{slug(problem.name)}-{_digest([identity, data_hash])[:_HASH_LETTERS]}",
        data_hash=data_hash,
        code_hash=code_hash(),
        machine=describe_machine(device=chooser.device, precision=chooser.precisions),
        device=chooser.device,
        other_rows=chooser.other_rows,
    )


def study_identity(resolved: Problem, asked: Problem, weights: Mapping[str, str | None]) -> dict[str, Any]:
    """What makes two studies the same one, besides their rows.

    Args:
        resolved: the problem with every choice made.
        asked: the problem as written: its precision is kept, because what `auto` chose depends on the machine.
        weights: content hash of each candidate's pretrained model, which stands for its name.
    """
    document = resolved.model_dump(mode="json")
    document.pop("compress", None)  # about what is made of a bundle once the study has ended
    for section, fields in _NOT_IDENTITY.items():
        for name in fields:
            document[section].pop(name)
    for name, candidate in document["candidates"].items():
        candidate["precision"] = asked.candidates[name].precision
        if weights.get(name) is not None:
            candidate["backbone"] = weights[name]
    return document


def slug(name: str) -> str:
    """A name as a folder has it: letters and digits of any script, the rest hyphens."""
    return re.sub(r"[\W_]+", "-", name.lower()).strip("-")[:_SLUG_LETTERS].strip("-") or "study"


def check_scopes(problem_file: ProblemFile, targets: Targets, splits: Splits) -> None:
    """Labels and columns that acceptance and claims name must be there, and test rows that they are about.

    Raises:
        UsageError: one is not; suggests the nearest.
    """
    problem = problem_file.problem
    scopes: list[tuple[tuple[str | int, ...], Scope | None]] = [
        (("accept", key), parse_accept_key(key)) for key in problem.accept
    ]
    scopes += [(("claims", number), parse_claim(text).scope) for number, text in enumerate(problem.claims)]
    raw = [name.removeprefix("raw.") for name in splits.test.column_names if name.startswith("raw.")]
    for keys, scope in scopes:
        if scope is None:
            continue
        if scope.value is not None and scope.value not in targets.names:
            hint = advice(scope.value, targets.names)
            raise UsageError(f"There is no label '{scope.value}'.", where=problem_file.where(*keys), hint=hint)
        for column, _ in scope.conditions:
            if column not in raw:
                raise UsageError(
                    f"There is no column '{column}'.", where=problem_file.where(*keys), hint=advice(column, raw)
                )
        check_rows(scope, splits.test, targets.kind, problem_file.where(*keys))


def language_of(problem: Problem, splits: Splits) -> str:
    """The texts' language: as stated, else detected; ``"und"`` where it cannot be told."""
    from provetune.data.language import detect_language

    if problem.language != AUTO:
        return problem.language
    return detect_language(sample_rows(splits.train, LANGUAGE_ROWS).column("text").to_pylist())


def _with_language(problem: Problem, splits: Splits, notes: list[str]) -> Problem:
    language = language_of(problem, splits)
    if problem.language == AUTO and language == "und":
        notes.append("The language of the texts could not be told; set language to say it.")
    elif problem.language == AUTO:
        notes.append(f"The texts are in '{language}'.")
    return problem.model_copy(update={"language": language})


def _digest(document: Any) -> str:
    text = json.dumps(document, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
