"""How `provetune compress` shows what came of its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from provetune.cli._output import console
from provetune.models.bundle.costs import cost_rows


def show_compressed(document: Mapping[str, Any]) -> None:
    """Each step with its table, what broke, and where the last bundle lies."""
    screen = console()
    for found in document["steps"]:
        _show_step(screen, found, document)
    written = [found for found in document["steps"] if found["bundle"] is not None]
    if document.get("chosen"):
        screen.print(document["chosen"]["words"], markup=False, soft_wrap=True)
    if written:
        screen.print(f"Bundle: {document['bundle']}", markup=False, soft_wrap=True)
    if not document["passed"]:
        last = document["steps"][-1]
        screen.print(
            f"Refused: '{last['step']}' breaks what was proven; nothing was written for it. --force writes it all the "
            "same, and the bundle says so for ever.",
            style="bold red",
            markup=False,
            soft_wrap=True,
        )


def show_steps(described: Sequence[Mapping[str, Any]], others: Mapping[str, str]) -> None:
    """Every step with the bundles it takes and its settings; then the other words that may be looked for."""
    from rich.padding import Padding
    from rich.table import Table

    screen = console()
    for step in described:
        screen.print(f"[bold]{step['name']}[/]  {step['summary']}")
        screen.print(f"  takes: {', '.join(step['takes'])}", style="dim", markup=False)
        if step["settings"]:
            table = Table("setting", "default", "what it does", box=None, pad_edge=False, header_style="dim")
            for field in step["settings"]:
                table.add_row(field["name"], _spell(field["default"]), field["description"] or "")
            screen.print(Padding(table, (0, 0, 1, 2)))
    for name, what in others.items():
        screen.print(f"[bold]{name}[/]  {what}")


def _show_step(screen: Any, found: Mapping[str, Any], document: Mapping[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    again = " (was there already)" if found["was_there"] else ""
    screen.print(f"[bold]{escape(found['step'])}[/]{again}, judged on {found['rows']:,} calibration rows")
    table = Table("", "before", "after", "difference", "", box=None, pad_edge=False, header_style="dim")
    for row in cost_rows(found):
        table.add_row(*map(escape, row))
    screen.print(table)
    for reason in found["broke"]:
        screen.print(f"  breaks: {reason}", style="red", markup=False, soft_wrap=True)
    if found["forced"]:
        steps = ", ".join(f"'{each['step']}'" for each in found["forced"])
        screen.print(f"  forced: {steps}; acceptance does not hold for this bundle", style="bold red", markup=False)
    screen.print()


def _spell(value: Any) -> str:
    return "–" if value is None or value == "" else str(value)
