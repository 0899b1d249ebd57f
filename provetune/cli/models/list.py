"""`provetune models list`: every model of the catalogue, with its licence, and which are here already."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from provetune.cli._output import console, print_json


def command(json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False) -> None:
    """List the models of the catalogue, with licence, language, size and whether they are here."""
    from provetune.models.cache import cache_folder
    from provetune.models.download import list_models

    rows = list_models()
    if json:
        print_json({"cache": str(cache_folder()), "models": rows})
    else:
        _show(rows)


def _show(rows: list[dict[str, Any]]) -> None:
    from rich.markup import escape
    from rich.padding import Padding

    screen = console()
    for row in rows:
        state = "[green]here[/]" if row["present"] else "[dim]not fetched[/]"
        default = f", the default for {', '.join(row['default_for'])}" if row["default_for"] else ""
        size = f"{row['parameters'] / 1e6:.0f} M weights, {row['size_bytes'] / 1e6:.0f} MB to fetch"
        screen.print(f"[bold]{row['name']}[/]  {state}")
        for line in (
            row["what"],
            f"{', '.join(row['languages'])}{default}; {size}",
            f"Licence: {row['licence']}. {row['licence_note']}",
        ):
            screen.print(Padding(escape(line), (0, 0, 0, 4)))
    screen.print("Fetch one with: provetune models get NAME", style="dim")
