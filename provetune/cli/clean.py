"""`provetune clean`: show what takes space in a workspace, and free what can be made again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from provetune.cli._output import console, print_json, print_written

_MB = 1_000_000
_SHOWN = 40


def command(
    problem: Annotated[Path, typer.Argument(metavar="PROBLEM", help="The problem file, or its folder.")] = Path(),
    workspace: Annotated[Path | None, typer.Option("--workspace", help="Another workspace than beside it.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Free the space; without it nothing is removed.")] = False,
    pretraining: Annotated[
        bool, typer.Option("--pretraining", help="Give up unfinished pretraining in the user's cache as well.")
    ] = False,
    csv: Annotated[Path | None, typer.Option("--csv", metavar="FOLDER", help="Write every table as CSV.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show what takes space; free what can be made again with --yes.

    The ledger, outcomes, results and best bundles always stay.
    """
    from provetune.study.clean import clean
    from provetune.study.workspace import open_workspace

    document = clean(open_workspace(problem, workspace, create=False), apply=yes, pretraining=pretraining)
    if csv is not None:
        from provetune.study.tables import export_space

        print_written(export_space(document, csv))
    if json:
        print_json(document)
    else:
        _show(document)


def _show(document: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    screen = console()
    table = Table("", "what", "size", "where", "why", box=None, header_style="bold")
    for item in document["items"][:_SHOWN]:
        path = Path(item["path"])
        where = path.relative_to(document["workspace"]) if path.is_relative_to(document["workspace"]) else path
        state = "[green]can go[/]" if item["removable"] else "[dim]stays[/]"
        table.add_row(state, item["kind"], _megabytes(item["bytes"]), escape(str(where)), item["why"])
    screen.print(table)
    if len(document["items"]) > _SHOWN:
        screen.print(f"… and {len(document['items']) - _SHOWN} smaller ones", style="dim")
    screen.print(f"{_megabytes(document['bytes'])} in {document['workspace']}", markup=False, soft_wrap=True)
    if document["applied"]:
        screen.print(f"{_megabytes(document['freed_bytes'])} freed.")
    elif document["removable_bytes"]:
        screen.print(f"{_megabytes(document['removable_bytes'])} can be freed: give the line again with --yes.")
    else:
        screen.print("There is nothing to free.")


def _megabytes(count: int) -> str:
    return f"{count / _MB:.1f} MB"
