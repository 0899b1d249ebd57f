"""The workspace: one folder that holds the ledger, the caches and every study's files.

.provetune/
  workspace.json      its identity, the same after the folder is moved
  ledger.sqlite       unless another ledger was named
  lock                held by the run in progress
  cache/              tokenised rows, features
  studies/<id>/       problem.yaml, splits/, trials/<candidate>-<k>/, study.json
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from provetune.core.errors import CorruptError, UsageError
from provetune.core.files import disk_errors, read_json, write_json, write_text
from provetune.core.locks import Holder, exclusive
from provetune.core.suggest import advice

FOLDER = ".provetune"
PUT_ASIDE = ".before"
_FORMAT = 1


@dataclass(frozen=True)
class Workspace:
    """A workspace that exists.

    Attributes:
        root: its folder.
        identity: what the ledger knows it by.
        ledger_url: where its ledger is.
    """

    root: Path
    identity: str
    ledger_url: str

    @property
    def cache(self) -> Path:
        """Folder of what can be computed again."""
        return self.root / "cache"

    @property
    def studies(self) -> Path:
        """Folder of the studies."""
        return self.root / "studies"

    def study_folder(self, study_id: str) -> Path:
        """Folder of one study; it need not exist yet."""
        return self.studies / study_id

    def trial_folder(self, study_id: str, candidate: str, k: int) -> Path:
        """Folder of one run of a candidate; it need not exist yet."""
        return self.study_folder(study_id) / "trials" / f"{candidate}-{k}"

    def study_ids(self) -> list[str]:
        """Studies that have a folder here, the one last changed first."""
        if not self.studies.is_dir():
            return []
        folders = [path for path in self.studies.iterdir() if path.is_dir() and not path.name.startswith(".")]
        return [path.name for path in sorted(folders, key=lambda path: (-path.stat().st_mtime, path.name))]

    def find_study(self, study_id: str) -> Path:
        """Folder of a study that exists.

        Raises:
            UsageError: there is none of this id.
        """
        if study_id not in self.study_ids():
            hint = advice(study_id, self.study_ids())
            raise UsageError(f"There is no study '{study_id}'.", where=str(self.root), hint=hint)
        return self.study_folder(study_id)

    def lock(
        self,
        what: str = "run",
        *,
        wait_s: float | None = None,
        on_wait: Callable[[Holder | None], None] | None = None,
    ) -> AbstractContextManager[None]:
        """Hold the workspace alone inside a ``with`` block.

        Args:
            what: what the holder does, told to those who wait.
            wait_s: longest wait in seconds; 0 gives up at once, None waits for ever.
            on_wait: told who holds it, when waiting begins.

        Raises:
            EnvironmentFault: another process holds it for too long (says which), or the place is read-only.
        """
        return exclusive(self.root / "lock", what=what, wait_s=wait_s, on_wait=on_wait)


def open_workspace(
    problem_path: str | Path, workspace: str | Path | None = None, *, ledger: str | None = None, create: bool = True
) -> Workspace:
    """The workspace of a problem file, made when it is not there.

    Args:
        problem_path: the problem file, or its folder.
        workspace: another place than ``.provetune`` beside the problem file.
        ledger: SQLAlchemy URL of another ledger than the workspace's own.
        create: False refuses a workspace that does not exist, for work that only reads.

    Raises:
        UsageError: nothing was run here yet, or the place is a file.
        EnvironmentFault: the place cannot be written.
    """
    root = Path(workspace).expanduser().absolute() if workspace is not None else _beside(Path(problem_path))
    if root.exists() and not root.is_dir():
        raise UsageError("This is a file, not a workspace folder.", where=str(root), hint="Name another --workspace.")
    if not create and not (root / "workspace.json").exists():
        raise UsageError(
            "Nothing was run here yet.", where=str(root), hint="Run `provetune run` first, or name a --workspace."
        )
    identity = _identity(root)
    return Workspace(root, identity, ledger or f"sqlite:///{root / 'ledger.sqlite'}")


def _beside(problem_path: Path) -> Path:
    path = problem_path.expanduser().absolute()
    return (path if path.is_dir() else path.parent) / FOLDER


def _identity(root: Path) -> str:
    file = root / "workspace.json"
    if not file.exists():
        with disk_errors(root):
            root.mkdir(parents=True, exist_ok=True)
        with exclusive(root / "lock.new", what="make the workspace"):
            if not file.exists():
                # Results are no source: version control that looks at the problem's folder passes them over.
                write_text(root / ".gitignore", "*\n")
                write_json(file, {"format_version": _FORMAT, "identity": uuid.uuid4().hex})
    try:
        return str(read_json(file)["identity"])
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptError(
            "The workspace's identity cannot be read.",
            where=str(file),
            hint="Move it away; the next run makes a new one.",
        ) from error
