"""`provetune methods`: the ways to adapt a backbone, and what each of them can be told."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from provetune.cli._output import console, print_json


def command(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Show this method alone, with its settings.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List the methods a candidate can use, with their settings."""
    from provetune.models.methods import METHODS

    described = [describe(METHODS.get(known)) for known in ([name] if name else METHODS.names())]
    if json:
        print_json({"methods": described})
    else:
        _show(described, settings=True)


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
