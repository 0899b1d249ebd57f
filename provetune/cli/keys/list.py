"""`provetune keys list`: which keys there are, what they may do and until when. Never the keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from provetune.cli._key_book import open_book
from provetune.cli._output import console, print_json


def command(
    ledger: Annotated[
        str | None, typer.Option("--ledger", metavar="URL", help="Another ledger than the workspace's own.")
    ] = None,
    workspace: Annotated[Path | None, typer.Option("--workspace", help="Another workspace than here.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List the keys of `provetune serve`, revoked and expired ones among them."""
    from dataclasses import asdict
    from datetime import UTC, datetime

    from provetune.serving.keys import state_of

    with open_book(workspace, ledger, create=False) as book:
        entries = book.entries()
    moment = datetime.now(UTC)
    rows = [{**asdict(entry), "state": state_of(entry, moment)} for entry in entries]
    shown = [{name: value for name, value in row.items() if name not in ("salt", "hash")} for row in rows]
    if json:
        print_json({"keys": shown})
    else:
        _show(shown)


def _show(rows: list[dict[str, Any]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    screen = console()
    if not rows:
        screen.print("There are no keys: `provetune keys create` makes one.")
        return
    table = Table("key", "name", "may", "state", "made (UTC)", "until", "rate", box=None, header_style="bold")
    for row in rows:
        rate = "any" if row["per_minute"] is None else f"{row['per_minute']:g} a minute, {row['burst']} at once"
        made, until = row["created_at"][:16], (row["expires_at"] or "always")[:16]
        style = None if row["state"] == "valid" else "dim"
        table.add_row(
            row["key_id"], escape(row["name"]), ", ".join(row["scopes"]), row["state"], made, until, rate, style=style
        )
    screen.print(table)
