"""`provetune models list`: every model of the catalogue, and the backbones of one's own."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from provetune.cli._output import console, print_json


def command(json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False) -> None:
    """List the models of the catalogue, with licence, language and size, and backbones of one's own."""
    from provetune.models.cache import cache_folder
    from provetune.models.download import list_models
    from provetune.models.own import list_own

    rows, made = list_models(), list_own()
    if json:
        print_json({"cache": str(cache_folder()), "models": rows, "own": made})
    else:
        _show(rows)
        _show_own(made)


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


def _show_own(made: list[dict[str, Any]]) -> None:
    screen = console()
    for row in made:
        texts = f"{row['texts']['learned']:,} texts"
        screen.print(f"[bold]{row['name']}[/]  [green]made here[/]")
        screen.print(f"    '{row['from']['name']}' after {row['objective']} on {texts}; {row['path']}", markup=False)
