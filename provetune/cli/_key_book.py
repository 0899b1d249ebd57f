"""Which ledger keeps the keys: the workspace's own, beside where one stands, or another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from provetune.ledger.api_keys import KeyBook


def key_ledger(workspace: Path | None, ledger: str | None) -> str:
    """URL of the ledger that keeps the service's keys; it need not exist yet.

    Args:
        workspace: another than ``.provetune`` in the current folder.
        ledger: another ledger than the workspace's own.
    """
    from provetune.ledger.records import file_url
    from provetune.study.workspace import FOLDER

    return ledger or file_url((workspace or Path(FOLDER)) / "ledger.sqlite")


def open_book(workspace: Path | None, ledger: str | None, *, create: bool) -> KeyBook:
    """The table of keys; the workspace is made with it where it is not there and `create` says so.

    Raises:
        UsageError: it is not there, and is not to be made.
    """
    from provetune.ledger.api_keys import KeyBook

    if create and ledger is None:
        from provetune.study.workspace import open_workspace

        open_workspace(Path(), workspace)
    return KeyBook(key_ledger(workspace, ledger), create=create)
