"""Which study, and which ledger, a person means by a problem file, a study's folder or an id."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provetune.study.workspace import Workspace


def find_study(problem: Path, study: str | None = None, workspace: Path | None = None) -> tuple[Path, str | None]:
    """Folder of the study that is meant, and its ledger's URL where there is one in the workspace.

    A study's folder stands for itself; a problem file for the study of that name that was changed last.

    Raises:
        UsageError: nothing of it was run here, or there is no such study.
    """
    from provetune.core.errors import UsageError
    from provetune.problem.reading import read_problem
    from provetune.study.problem_checks import baseline_of
    from provetune.study.resolved import RESOLVED, read_resolved
    from provetune.study.workspace import open_workspace

    if (problem / RESOLVED).exists():
        return problem, _ledger_in(_workspace_around(problem))
    name = None if problem.is_dir() else read_problem(problem, baseline_of=baseline_of).problem.name
    place = open_workspace(problem, workspace, create=False)
    if study is not None:
        return place.find_study(study), _ledger_in(place)
    for one in place.study_ids():
        folder = place.study_folder(one)
        if (folder / RESOLVED).exists() and name in (None, read_resolved(folder)["name"]):
            return folder, _ledger_in(place)
    raise UsageError(
        "No study of this problem is here yet.", where=str(place.root), hint=f"Run it first: provetune run {problem}"
    )


def find_ledger(
    problem: Path | None, ledger: str | None = None, workspace: Path | None = None
) -> tuple[str, str | None]:
    """URL of the ledger that is meant, and the name of the problem; None stands for every problem in it.

    A problem file stands for its problem, a study's folder for the problem it is of, another folder for all that
    were run there. Without any of them, `ledger` stands for all that is in it.

    Raises:
        UsageError: nothing was run here.
    """
    from provetune.problem.reading import read_problem
    from provetune.study.problem_checks import baseline_of
    from provetune.study.resolved import RESOLVED, read_resolved
    from provetune.study.workspace import open_workspace

    if problem is None and ledger is not None:
        return ledger, None
    path = problem or Path()
    name: str | None = None
    place: Workspace | None = None
    if (path / RESOLVED).exists():
        name, place = str(read_resolved(path)["name"]), _workspace_around(path)
    elif not path.is_dir():
        name = read_problem(path, baseline_of=baseline_of).problem.name
    if ledger is not None:
        return ledger, name
    return (place or open_workspace(path, workspace, create=False)).ledger_url, name


def _workspace_around(study: Path) -> Workspace | None:
    """The workspace that a study's folder lies in; a folder that was copied away lies in none."""
    from provetune.study.workspace import open_workspace

    root = study.absolute().parent.parent
    return open_workspace(study, root, create=False) if (root / "workspace.json").exists() else None


def _ledger_in(place: Workspace | None) -> str | None:
    """The workspace's own ledger. Studies that were run with another one leave none there."""
    return place.ledger_url if place is not None and (place.root / "ledger.sqlite").exists() else None
