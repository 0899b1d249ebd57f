"""The parts of a report on the screen."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from provetune.cli._curves import draw_curve

if TYPE_CHECKING:
    from rich.table import Table

_MOST_MATRIX_LABELS = 12
_MOST_LABEL_LINES = 60
_LABEL_LETTERS = 28
_CELL_LETTERS = 60


def label_table(lines: Sequence[Mapping[str, Any]]) -> Table:
    """Precision, recall, F1 and support of each label, the worst F1 first."""
    from rich.markup import escape

    table = _table("label", "precision", "recall", "f1", "support", "predicted")
    for line in sorted(lines, key=lambda line: line["f1"])[:_MOST_LABEL_LINES]:
        scores = [f"{line[part]:.3f}" for part in ("precision", "recall", "f1")]
        table.add_row(escape(_short(line["label"])), *scores, str(line["support"]), f"{line['predicted']:.1f}")
    if len(lines) > _MOST_LABEL_LINES:
        table.add_row(f"… and {len(lines) - _MOST_LABEL_LINES} better ones (--json or --csv has all)")
    return table


def confusion_table(report: Mapping[str, Any]) -> Table | None:
    """Gold labels down, given labels across; for many labels the pairs most often mixed up.

    Where a row may have several labels: for each, in how many rows it was right, given wrongly, and missed.
    """
    from rich.markup import escape

    names, counts = report["confusion"]["labels"], report["confusion"]["counts"]
    if counts and isinstance(counts[0][0], list):
        return _several_labels_table(names, counts)
    if counts and len(names) <= _MOST_MATRIX_LABELS:
        # Long label names do not fit over narrow columns: the rows number them.
        numbered = {name: f"{number}" for number, name in enumerate(names, 1)}
        table = _table("gold \\ given", *numbered.values())
        for name, line in zip(names, counts, strict=True):
            cells = [f"[bold]{n}[/]" if other == name else str(n or "·") for other, n in zip(names, line, strict=True)]
            table.add_row(f"{numbered[name]} {escape(_short(name))}", *cells)
        return table
    if not report["most_confused"]:
        return None
    table = _table("gold", "given", "times", left=2)
    for pair in report["most_confused"]:
        table.add_row(escape(_short(pair["label"])), escape(_short(pair["prediction"])), str(pair["count"]))
    return table


def _several_labels_table(names: Sequence[str], counts: Sequence[Any]) -> Table:
    """A line a label, the one with most mistakes first; each label's counts are absent/present by absent/present."""
    from rich.markup import escape

    table = _table("label", "right", "given wrongly", "missed")
    lines = [(name, present[1], absent[1], present[0]) for name, (absent, present) in zip(names, counts, strict=True)]
    for name, *numbers in sorted(lines, key=lambda line: -(line[2] + line[3]))[:_MOST_LABEL_LINES]:
        table.add_row(escape(_short(name)), *map(str, numbers))
    return table


def own_table(table: Mapping[str, Any]) -> Table:
    """A table that only this task has; numbers short, texts cut."""
    from rich.markup import escape
    from rich.table import Table

    rows = table["rows"]
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for place, title in enumerate(table["columns"]):
        numbers = all(row[place] is None or isinstance(row[place], int | float) for row in rows)
        drawn.add_column(escape(title), justify="right" if numbers else "left")
    for row in rows[:_MOST_LABEL_LINES]:
        drawn.add_row(*(escape(_cell(cell)) for cell in row))
    if len(rows) > _MOST_LABEL_LINES:
        drawn.add_row(f"… and {len(rows) - _MOST_LABEL_LINES} more (--json or --csv has all)")
    return drawn


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 10 else f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else _short(str(value), _CELL_LETTERS)


def curve_lines(curves: Sequence[Mapping[str, Any]], metric: str, *, lower: bool = False) -> Iterator[str]:
    """For each run the loss over its steps and the validation score over its evaluations, drawn in text.

    Args:
        lower: whether less of the metric is better.
    """
    for curve in curves:
        losses = [point["loss"] for point in curve["steps"]]
        found = [point["scores"].get(metric) for point in curve["evaluations"]]
        scores = [math.nan if score is None else score for score in found]
        if not losses and len(scores) < 2:
            continue
        parts = [f"run {curve['k']}"]
        if losses:
            parts.append(f"loss {draw_curve(losses)} {losses[0]:.3f} → {losses[-1]:.3f}")
        if known := [score for score in scores if math.isfinite(score)]:
            best = min(known) if lower else max(known)
            parts.append(f"{metric} {draw_curve(scores, 20)} best {best:.3f}")
        yield "  ".join(parts) + (f"  ({curve['stopped']})" if curve["stopped"] else "")


def calibration_line(calibration: Mapping[str, Any] | None) -> str | None:
    """Calibration error before and after the temperature, averaged over the runs."""
    if calibration is None:
        return None
    before, after = fmean(calibration["ece_before"]), fmean(calibration["ece_after"])
    temperature = fmean(calibration["temperatures"])
    return f"Calibration error {before:.3f} before, {after:.3f} after temperature {temperature:.2f}"


def _table(*titles: str, left: int = 1) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for place, title in enumerate(titles):
        table.add_column(title, justify="left" if place < left else "right")
    return table


def _short(text: str, most: int = _LABEL_LETTERS) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
