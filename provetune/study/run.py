"""`run`: a problem file in, a trained, tested, usable model out."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import UsageError
from provetune.core.locks import Holder
from provetune.study.document import DOCUMENT, as_html, read_document
from provetune.study.engines import Listener
from provetune.study.interruption import interruptible
from provetune.study.workspace import PUT_ASIDE, Workspace, open_workspace

if TYPE_CHECKING:
    from provetune.problem.reading import ProblemFile
    from provetune.study.resolved import ResolvedStudy


@dataclass(frozen=True)
class Study:
    """A study that has ended.

    Attributes:
        id: name and hash of the resolved problem and its data.
        workspace: folder of the workspace it lies in.
        problem: name of the problem.
        candidates: by name: ``metrics`` of the sealed test, ``validation``, ``bundles``, ``seconds``, ``failed``.
        best: folder of the best bundle; ``pt.load`` takes it.
        accept: how that bundle stands to each level of ``accept``.
        claims: each claim and what became of it.
        document: all of it, as ``provetune run --json`` prints it.
    """

    id: str
    workspace: str
    problem: str
    candidates: Mapping[str, Any]
    best: str
    accept: list[dict[str, Any]]
    claims: list[dict[str, Any]]
    document: dict[str, Any] = field(repr=False)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Study:
        """The study that a document, with absolute paths, tells of."""
        return cls(
            id=document["study"],
            workspace=document["workspace"],
            problem=document["problem"],
            candidates=document["candidates"],
            best=document["best"]["bundle"],
            accept=document["accept"],
            claims=document["claims"],
            document=document,
        )

    @property
    def folder(self) -> Path:
        """The study's own folder."""
        return Path(self.workspace) / "studies" / self.id

    def _repr_html_(self) -> str:
        return as_html(self.document)


def run(
    problem: str | Path,
    *,
    overrides: Sequence[str] = (),
    workspace: str | Path | None = None,
    fresh: bool = False,
    resume: bool = False,
    listener: Listener | None = None,
    device: str = "auto",
    ledger: str | None = None,
    allow_machine_change: bool = False,
) -> Study:
    """Train every candidate on every seed, open the sealed test once, name the best bundle.

    A study that was interrupted goes on where it stopped when the same call is made again; one that has ended
    is returned as it is.

    Args:
        problem: the problem file.
        overrides: fields to override, e.g. ``["study.seeds=1"]``.
        workspace: folder for studies; ``.provetune`` beside the problem file when left out.
        fresh: train again even what has ended; what was there is put aside under ``studies/.before``.
        resume: refuse to start a study that is not there.
        listener: called with each event, a mapping with its kind under ``"event"``: ``phase``, ``note``, ``trials``
            (all trials and their states), ``batch`` (how many jobs of each kind follow), ``job`` (a state that
            changed), and those of training with the trial's name under ``"id"``.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        ledger: SQLAlchemy URL of another ledger than the workspace's own.
        allow_machine_change: go on although this machine would give other bits than the one it began on.

    Raises:
        ProblemFileError: the problem file has faults; all of them are listed.
        DataError: rows that cannot be used.
        Interrupted: Ctrl-C or a termination signal; what is finished is kept.
        Refused: the study cannot go on here as it began.
    """
    if fresh and resume:
        raise UsageError("fresh and resume exclude each other.", hint="Give one of them, or neither.")
    say: Listener = listener if listener is not None else _silent
    with interruptible(f"To go on: {_command(problem, overrides, workspace, ledger)}"):
        return _run(Path(problem), overrides, workspace, fresh, resume, say, device, ledger, allow_machine_change)


def load_study(problem: str | Path, workspace: str | Path | None = None) -> Study:
    """The study of a problem file, or in a study's folder, that ended last.

    Raises:
        UsageError: none has ended.
    """
    path = Path(problem)
    if (path / DOCUMENT).exists():
        return _stored(path.absolute().parent.parent, path.absolute())
    found = open_workspace(path, workspace, create=False)
    wanted = None if path.is_dir() else _name_of(path)
    for study_id in found.study_ids():
        folder = found.study_folder(study_id)
        if (folder / DOCUMENT).exists():
            study = _stored(found.root, folder)
            if wanted is None or study.problem == wanted:
                return study
    raise UsageError(
        "No study of this problem has ended yet.", where=str(found.root), hint=f"Run it first: provetune run {path}"
    )


def _run(
    path: Path,
    overrides: Sequence[str],
    workspace: str | Path | None,
    fresh: bool,
    resume: bool,
    listener: Listener,
    device: str,
    ledger: str | None,
    allow_machine_change: bool,
) -> Study:
    from provetune.problem.reading import read_problem
    from provetune.study.problem_checks import baseline_of, problem_checks
    from provetune.study.resolve import resolve

    listener({"event": "phase", "phase": "resolve", "message": f"Reading {path.name}"})
    file = read_problem(path, overrides=overrides, checks=problem_checks(), baseline_of=baseline_of)
    # The data first: where it cannot be used, no empty workspace is left behind.
    resolved = resolve(file, device=device)
    place = _open(path, workspace, ledger, resume)

    def waiting(holder: Holder | None) -> None:
        listener({"event": "note", "message": f"Waiting: the workspace is in use by {holder or 'another process'}."})

    with place.lock(f"run {path.name}", on_wait=waiting):
        resolved = _search_first(file, resolved, place, device, listener)
        folder = place.study_folder(resolved.study_id)
        if resume and not folder.exists():
            raise _nothing_to_resume(str(place.root))
        return _run_locked(resolved, place, folder, fresh, listener, allow_machine_change)


def _search_first(
    file: ProblemFile, resolved: ResolvedStudy, place: Workspace, device: str, listener: Listener
) -> ResolvedStudy:
    """The study with what was searched and found for its candidates; as it is where none asks."""
    from provetune.study.resolve import resolve
    from provetune.study.search.candidates import file_with_found, search_candidates, searched

    if not searched(resolved):
        return resolved
    found = search_candidates(file, resolved, place, listener)
    return resolve(file_with_found(file, found), device=device)


def _open(path: Path, workspace: str | Path | None, ledger: str | None, resume: bool) -> Workspace:
    """The workspace, made where it is not there; but no empty one is left behind where nothing can be resumed."""
    try:
        return open_workspace(path, workspace, ledger=ledger, create=not resume)
    except UsageError as error:
        if not resume:
            raise
        raise _nothing_to_resume(error.where) from error


def _nothing_to_resume(where: str | None) -> UsageError:
    return UsageError("There is no study of this problem to resume.", where=where, hint="Run it without --resume.")


def _run_locked(
    resolved: Any, place: Workspace, folder: Path, fresh: bool, listener: Listener, allow_machine_change: bool
) -> Study:
    from provetune.ledger.records import Ledger
    from provetune.study.session import Session

    if fresh:
        _put_aside(folder)
    elif (folder / DOCUMENT).exists():
        os.utime(folder)  # asked for last, it is the one that `report` and `predict` mean
        listener({"event": "phase", "phase": "done", "message": "This study has ended; its results are as stored"})
        return _stored(place.root, folder)
    with Ledger(place.ledger_url) as book:
        session = Session(resolved, place, book, listener)
        session.carry_out(fresh=fresh, allow_machine_change=allow_machine_change)
    listener({"event": "phase", "phase": "done", "message": "Done", "study": resolved.study_id})
    return _stored(place.root, folder)


def _stored(root: Path, folder: Path) -> Study:
    document = read_document(folder, root)
    if document is None:
        raise UsageError("This study has not ended yet.", where=str(folder), hint="Run it again to go on.")
    return Study.from_document(document)


def _put_aside(folder: Path) -> None:
    """Move what a study left out of the way; `provetune clean` frees the space."""
    if not folder.exists():
        return
    aside = folder.parent / PUT_ASIDE
    aside.mkdir(exist_ok=True)
    number = 1
    while (target := aside / f"{folder.name}-{number}").exists():
        number += 1
    folder.rename(target)


def _command(
    problem: str | Path, overrides: Sequence[str], workspace: str | Path | None, ledger: str | None = None
) -> str:
    """The line that goes on with a study. Without ``--fresh``: that would start anew."""
    words = ["provetune", "run", str(problem)]
    for override in overrides:
        words += ["--set", override]
    if workspace is not None:
        words += ["--workspace", str(workspace)]
    if ledger is not None:
        from provetune.ledger.connection import shown_url

        words += ["--ledger", shown_url(ledger)]
    return shlex.join(words)


def _name_of(path: Path) -> str:
    from provetune.problem.reading import read_problem
    from provetune.study.problem_checks import baseline_of

    return read_problem(path, baseline_of=baseline_of).problem.name


def _silent(event: dict[str, Any]) -> None:
    pass
