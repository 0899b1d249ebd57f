"""`provetune keys revoke`: take a key back, for ever."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provetune.cli._key_book import open_book
from provetune.cli._output import print_json, print_note


def command(
    key: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `provetune keys list` shows it.")],
    ledger: Annotated[
        str | None, typer.Option("--ledger", metavar="URL", help="Another ledger than the workspace's own.")
    ] = None,
    workspace: Annotated[Path | None, typer.Option("--workspace", help="Another workspace than here.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Take a key back. A running server refuses it within two seconds; it cannot be given again."""
    from provetune.serving.keys import split_key

    whole = split_key(key)
    with open_book(workspace, ledger, create=False) as book:
        entry = book.revoke(whole[0] if whole else key)
    if json:
        print_json({"key_id": entry.key_id, "name": entry.name, "revoked_at": entry.revoked_at})
    else:
        print_note(f"Key {entry.key_id} ({entry.name}) is revoked.")
