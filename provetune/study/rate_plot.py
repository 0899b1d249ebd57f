"""The curve of a learning-rate range test as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from provetune.core.errors import EnvironmentFault, UsageError
from provetune.core.files import atomic_path

_SUFFIXES = (".png", ".svg", ".pdf")


def check_plot(path: Path) -> None:
    """Refuse a picture that cannot be drawn, before any work is done.

    Raises:
        UsageError: the name does not end in .png, .svg or .pdf.
        EnvironmentFault: matplotlib is not installed.
    """
    from importlib.util import find_spec

    if path.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"A picture ends in {', '.join(_SUFFIXES)}. Got '{path.name}' instead.")
    if find_spec("matplotlib") is None:
        raise EnvironmentFault(
            "A picture needs matplotlib.", hint="pip install 'provetune[plot]', or leave it out with --no-plot."
        )


def draw_rates(document: Mapping[str, Any], path: Path) -> Path:
    """Draw what `find_learning_rate` returned: loss against rate, the suggestion and the rate as it stands."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    points = [point for point in document["points"] if point["smoothed"] is not None]
    rates = [point["rate"] for point in points]
    smoothed = [point["smoothed"] for point in points]
    figure = Figure(figsize=(7.2, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(rates, [point["loss"] for point in points], ".", color="#b8bec6", markersize=4, label="each step")
    axes.plot(rates, smoothed, color="#1f5fa8", linewidth=2, label="smoothed")
    lowest = document["lowest"]
    axes.plot([lowest], [min(smoothed)], "o", color="#1f5fa8", label=f"lowest, {lowest:.2g}")
    if document["suggestion"] is not None:
        suggestion = document["suggestion"]
        axes.axvline(suggestion, color="#b3431e", linewidth=1.5, label=f"suggestion, {suggestion:g}")
    now = document["learning_rate"]
    axes.axvline(now, color="#5b6470", linewidth=1.2, linestyle=":", label=f"as it stands, {now:g}")
    axes.set_xscale("log")
    # One loss that has left for good must not flatten the curve that is read.
    room = max(smoothed[0], 1e-9) - min(smoothed)
    axes.set_ylim(min(smoothed) - 0.15 * abs(room), max(smoothed[0], min(smoothed)) + 0.75 * abs(room))
    axes.set_xlabel("learning rate")
    axes.set_ylabel("training loss after the step")
    axes.set_title(f"{document['problem']}: {document['candidate']}", fontsize=11)
    axes.grid(alpha=0.25)
    axes.legend(fontsize=9, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as part:
        figure.savefig(part, format=path.suffix[1:].lower(), dpi=150)
    return path
