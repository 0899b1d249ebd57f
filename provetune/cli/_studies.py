"""Which study a person means by a problem file, a study's folder or an id."""

from __future__ import annotations

from pathlib import Path


def find_study(problem: Path, study: str | None = None, workspace: Path | None = None) -> tuple[Path, str | None]:
    """Folder of the study that is meant, and its ledger's URL where the workspace is known.

    A study's folder stands for itself; a problem file for the study of that name that was changed last.

    Raises:
        UsageError: nothing of it was run here, or there is no such study.
    """
    from provetune.core.errors import UsageError
    from provetune.problem.reading import read_problem
    from provetune.study.resolved import RESOLVED, read_resolved
    from provetune.study.workspace import open_workspace

    if (problem / RESOLVED).exists():
        return problem, None
    name = None if problem.is_dir() else read_problem(problem).problem.name
    place = open_workspace(problem, workspace, create=False)
    if study is not None:
        return place.find_study(study), place.ledger_url
    for one in place.study_ids():
        folder = place.study_folder(one)
        if (folder / RESOLVED).exists() and name in (None, read_resolved(folder)["name"]):
            return folder, place.ledger_url
    raise UsageError(
        "No study of this problem is here yet.", where=str(place.root), hint=f"Run it first: provetune run {problem}"
    )
