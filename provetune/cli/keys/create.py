"""`provetune keys create`: a new key, shown this once."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from provetune.cli._key_book import open_book
from provetune.cli._output import print_json, print_note, print_text


def command(
    name: Annotated[str, typer.Option("--name", help="Whose key it is, e.g. 'web shop'.")],
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", metavar="SCOPE", help="predict, read or admin; several times for several."),
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="WHEN", help="A span (30d, 12h) or a date (2031-12-31).")
    ] = None,
    rate: Annotated[float | None, typer.Option("--rate", metavar="N", help="Requests a minute; any number.")] = None,
    burst: Annotated[int | None, typer.Option("--burst", metavar="N", help="Requests at once; a minute's.")] = None,
    ledger: Annotated[
        str | None, typer.Option("--ledger", metavar="URL", help="Another ledger than the workspace's own.")
    ] = None,
    workspace: Annotated[Path | None, typer.Option("--workspace", help="Another workspace than here.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Make a key for `provetune serve` and show it: only its salted hash is kept.

    Without --scope it may predict and read. A running server knows it within two seconds.
    """
    from provetune.serving.keys import make_key

    made = make_key(name, scope or ("predict", "read"), expires=expires, per_minute=rate, burst=burst)
    with open_book(workspace, ledger, create=True) as book:
        book.add(made.entry)
    entry = asdict(made.entry)
    if json:
        print_json({"key": made.text, **{field: entry[field] for field in entry if field not in ("salt", "hash")}})
        return
    print_text(made.text)
    until = f" until {entry['expires_at'][:16]} UTC" if entry["expires_at"] else ""
    print_note(f"Key {made.entry.key_id} may {' and '.join(made.entry.scopes)}{until}. It is not shown again.")
