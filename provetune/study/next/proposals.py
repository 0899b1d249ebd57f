"""`next`: the evidence of the last study in, ranked steps and ready problem files out."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from provetune.core.errors import UsageError
from provetune.core.files import write_text
from provetune.problem.reading import read_problem
from provetune.study.next.gathering import gather_evidence
from provetune.study.next.next_problem import Source, read_source, write_problem_text
from provetune.study.next.probes import COLUMNS
from provetune.study.next.ranking import propose_steps
from provetune.study.next.step import Step
from provetune.study.resolved import PROBLEM, read_resolved

DEFAULT_TOP = 3
_NUMBERED = re.compile(r"(?P<stem>.*)\.next-(?P<number>\d+)\Z")


def propose_next(
    problem: Path,
    study_folder: Path,
    *,
    output: Path | None = None,
    top: int = DEFAULT_TOP,
    probe: bool = True,
    on_note: Callable[[str], None] = lambda text: None,
) -> dict[str, Any]:
    """What to try next, and a problem file for each of the first steps.

    Args:
        problem: the problem file, or the study's folder.
        study_folder: the study whose evidence counts.
        output: folder of the new problem files; that of the problem file when left out.
        top: steps that are shown and get a file.
        probe: also measure a learning curve and doubtful labels with a cheap candidate.
        on_note: told what takes seconds.

    Returns:
        JSON-ready: ``steps`` (``kind``, ``title``, ``reason``, ``gain``, ``gain_interval``, ``cost_seconds``,
        ``problem``
        (path, or None where there is nothing to run), ``claim``, ``details``), ``study``, ``metric``, ``workspace``,
        ``best``, ``notes``.

    Raises:
        UsageError: no run has finished, or `top` is no count.
    """
    if top < 1:
        raise UsageError(f"top must be at least 1. Got {top} instead.")
    evidence = gather_evidence(study_folder, probe=probe, on_note=on_note)
    source = read_source(_problem_path(problem, study_folder), read_problem(study_folder / PROBLEM).problem)
    folder = output or source.path.parent
    written = [_written(step, source, folder) for step in propose_steps(evidence)[:top]]
    notes = list(evidence.notes)
    if source.text is None:
        notes.append(
            f"'{source.path}' does not say any more what was run: new files are made from the study's own record."
        )
    return {
        "steps": written,
        "study": evidence.study,
        "metric": evidence.metric,
        "workspace": str(study_folder.absolute().parent.parent),
        "best": {"candidate": evidence.best, "validation": evidence.leader.score},
        "notes": notes,
    }


def _written(step: Step, source: Source, folder: Path) -> dict[str, Any]:
    path = table = None
    if step.change is not None:
        path, table = write_step(step, source, folder)
    details = {
        **step.details,
        "order": step.order.name.lower(),
        "source": step.source,
        "gain_an_hour": step.rate,
        "machine_seconds": step.machine_seconds,
        "people_seconds": step.people_seconds,
    }
    if table is not None:
        details["table"] = str(table)
    return {
        "kind": step.kind,
        "title": step.title,
        "reason": step.reason,
        "gain": step.gain,
        "gain_interval": list(step.interval),
        "cost_seconds": step.cost_seconds,
        "problem": None if path is None else str(path),
        "claim": None if step.change is None else step.change.claims[0],
        "details": details,
    }


def write_step(step: Step, source: Source, folder: Path) -> tuple[Path, Path | None]:
    """Write a step's problem file, and the table beside it; one that is there already, word for word, serves again."""
    if step.change is None:
        raise ValueError(f"A step of kind '{step.kind}' has nothing to run.")
    folder.mkdir(parents=True, exist_ok=True)
    known = _NUMBERED.match(source.path.stem)
    stem = known["stem"] if known else source.path.stem
    number = int(known["number"]) + 1 if known else 1
    while True:
        path = folder / f"{stem}.next-{number}{source.path.suffix or '.yaml'}"
        table = folder / f"{stem}.next-{number}.{step.kind}.csv" if step.table else None
        text = write_problem_text(source, step.change, None if table is None else table.name, folder)
        if not path.exists() and not (table is not None and table.exists()):
            break
        if table is None and path.exists() and path.read_text(encoding="utf-8") == text:
            return path, None
        number += 1
    if table is not None:
        # With a mark in front, spreadsheets read it as UTF-8.
        write_text(table, "\ufeff" + _csv(step.table))
    write_text(path, text)
    return path, table


def _problem_path(problem: Path, study_folder: Path) -> Path:
    """The file that the study was run from; the one that was named where that is gone."""
    recorded = Path(read_resolved(study_folder)["problem_path"])
    beside = study_folder.absolute().parent.parent.parent / recorded.name
    for path in (recorded, beside):
        if path.is_file():
            return path
    return problem if problem.is_file() else beside


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()
