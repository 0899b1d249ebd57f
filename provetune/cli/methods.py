"""`provetune methods`: the ways to adapt a backbone, and what each of them can be told."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from provetune.cli._output import console, print_json


def command(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Show this method alone, with its settings and all it goes with."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List the methods a candidate can use, and which tasks, families of backbones and objectives go together."""
    from provetune.models.methods import METHODS
    from provetune.study import support_table

    described = [describe(METHODS.get(known)) for known in ([name] if name else METHODS.names())]
    if json:
        cells = {method["name"]: support_table.cells_document(method["name"]) for method in described}
        with_cells = [{**method, "goes_with": cells[method["name"]]} for method in described]
        print_json({"methods": with_cells} if name else {**support_table.document(), "methods": with_cells})
    elif name:
        _show(described, settings=True)
        _show_cells(name)
    else:
        _show(described, settings=False)
        _show_grids()


def describe(method: Any) -> dict[str, Any]:
    """One method as a JSON-ready mapping: what it is, what it learns from, the fields it adds."""
    return {
        "name": method.name,
        "summary": method.summary,
        "learns_from": method.learns_from,
        "bundle_kind": method.bundle_kind,
        "defaults": dict(method.defaults),
        "settings": [
            {"name": key, "default": field.get_default(call_default_factory=True), "description": field.description}
            for key, field in method.settings.model_fields.items()
        ],
    }


def _show(described: list[dict[str, Any]], *, settings: bool) -> None:
    from rich.padding import Padding
    from rich.table import Table

    screen = console()
    for method in described:
        screen.print(f"[bold]{method['name']}[/]  {method['summary']}")
        if settings and method["settings"]:
            table = Table("setting", "default", "what it does", box=None, pad_edge=False, header_style="dim")
            for field in method["settings"]:
                table.add_row(field["name"], str(field["default"]), field["description"] or "")
            screen.print(Padding(table, (0, 0, 0, 4)))
    screen.print()


def _show_cells(name: str) -> None:
    """The tasks that a method serves with each family, and what it says of the rest."""
    from rich.table import Table

    from provetune.study.support_table import grid_of, in_words

    screen, grid = console(), grid_of(name)
    table = Table("with", "tasks", box=None, pad_edge=False, header_style="dim")
    for family, tasks in in_words(grid):
        table.add_row(family, tasks)
    screen.print(table)
    for note in grid.notes:
        screen.print(note)


def _show_grids() -> None:
    from rich.table import Table

    from provetune.study.support_table import grids, in_words

    screen = console()
    by_task, by_family, by_head, by_objective = grids()
    families = dict(in_words(by_family))
    table = Table("method", "tasks", "families of backbones", box=None, pad_edge=False, header_style="dim")
    for name, tasks in in_words(by_task):
        table.add_row(name, tasks, families.get(name, "needs none"))
    screen.print(table)
    for grid in (by_head, by_objective):
        screen.print()
        table = Table(grid.title, "tasks", box=None, pad_edge=False, header_style="dim")
        for name, tasks in in_words(grid):
            table.add_row(name, tasks)
        screen.print(table)
    screen.print()
    for note in (*by_family.notes, *by_objective.notes):
        screen.print(note)
    screen.print("A method and a family go together for the tasks that both name. More of one: provetune methods NAME.")
