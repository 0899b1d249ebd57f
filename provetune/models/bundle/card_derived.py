"""What the card of a derivative says: where it comes from, what was tested again, and what was forced."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from provetune.models.bundle.costs import cost_rows


def derived_section(record: Mapping[str, Any], cell: Callable[[Any], str]) -> str:
    """The section in place of what a trained bundle says about its sealed test.

    Args:
        cell: makes text that stays in its table cell.
    """
    origin = record["derived_from"]
    lines = ["## What was tested", ""]
    lines += _forced(record, cell)
    steps = ", ".join(f"`{cell(each['step'])}`" for each in origin["steps"])
    lines.append(
        f"Made from the bundle `{cell(origin['bundle'])}` by {steps}. It inherits no verdict of the sealed test: what "
        "was proved there was proved of other weights."
    )
    tested = record.get("compression")
    if tested:
        lines += ["", _tested(tested), "", "| | before | after | difference | |", "|---|---|---|---|---|"]
        shown = {**tested, "levels": record.get("acceptance") or [], "batches": record.get("batches") is not False}
        lines += [f"| {' | '.join(cell(part) for part in row)} |" for row in cost_rows(shown)]
        lines += [f"\n{cell(note)}" for note in tested.get("notes") or []]
    lines += [
        "",
        "Steps:",
        "",
        "```json",
        json.dumps(origin["steps"], indent=2, ensure_ascii=False, default=str),
        "```",
    ]
    return "\n".join(lines)


def _forced(record: Mapping[str, Any], cell: Callable[[Any], str]) -> list[str]:
    forced = record.get("forced") or []
    if not forced:
        return []
    lines = ["**Forced: acceptance does not hold for this bundle.**", ""]
    lines += [f"- `{cell(each['step'])}`: {cell('; '.join(each['broke']))}" for each in forced]
    return [*lines, ""]


def _tested(tested: Mapping[str, Any]) -> str:
    return (
        f"Acceptance was tested again on {tested['rows']} validation rows that nothing else was decided by. A metric "
        f"holds when its value reaches its level and the one-sided {tested['confidence']:.0%} bound of what was lost "
        f"is at most {tested['tolerance']:g}."
    )
