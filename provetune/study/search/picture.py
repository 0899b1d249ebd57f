"""A search as a picture: how far it got, what mattered, and every field's values beside their scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from provetune.core.files import atomic_path

PICTURE = "what_mattered.png"
_BLUE, _GREY, _RED = "#1f5fa8", "#b8bec6", "#b3431e"
_COLUMNS = 3
_DECADES = 2.0


def can_draw() -> bool:
    """Whether matplotlib is there (``pip install 'provetune[plot]'``)."""
    from importlib.util import find_spec

    return find_spec("matplotlib") is not None


def draw_search(document: Mapping[str, Any], metric: str, path: Path, *, higher_is_better: bool = True) -> Path:
    """Draw what `CandidateSearch.carry_out` returned.

    Args:
        metric: what trials were compared by, with its name.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    sign = 1 if higher_is_better else -1
    trials = [one for one in document["trials"] if one["value"] is not None]
    fields = list(document["importances"]) or sorted({name for one in trials for name in one["settings"]})
    rows = 1 + math.ceil(len(fields) / _COLUMNS)
    figure = Figure(figsize=(9.6, 2.9 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(rows, _COLUMNS)
    _progress(figure.add_subplot(grid[0, :2]), trials, metric, sign)
    _importances(figure.add_subplot(grid[0, 2]), document["importances"])
    for place, name in enumerate(fields):
        axes = figure.add_subplot(grid[1 + place // _COLUMNS, place % _COLUMNS])
        _values(axes, name, trials, document["number"], sign)
    figure.suptitle(f"Search of '{document['candidate']}' on validation rows", fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as part:
        figure.savefig(part, format="png", dpi=150)
    return path


def _progress(axes: Any, trials: Sequence[Mapping[str, Any]], metric: str, sign: int) -> None:
    whole = [one for one in trials if not one["pruned"]]
    given_up = [one for one in trials if one["pruned"]]
    axes.plot([one["number"] + 1 for one in given_up], [sign * one["value"] for one in given_up], "x", color=_GREY)
    axes.plot([one["number"] + 1 for one in whole], [sign * one["value"] for one in whole], "o", color=_BLUE, ms=4)
    best: list[float] = []
    for one in whole:
        best.append(max([one["value"], *best[-1:]]))
    axes.step([one["number"] + 1 for one in whole], [sign * value for value in best], where="post", color=_RED)
    axes.set_title("trials: ended (dots), given up (crosses), best so far (line)", fontsize=9)
    axes.set_xlabel("trial")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_ylabel(metric)
    axes.grid(alpha=0.25)


def _importances(axes: Any, importances: Mapping[str, float]) -> None:
    axes.set_title("what mattered", fontsize=9)
    if not importances:
        axes.text(0.5, 0.5, "too few trials to tell", ha="center", va="center", fontsize=9, transform=axes.transAxes)
        axes.set_axis_off()
        return
    ordered = sorted(importances.items(), key=lambda one: one[1])
    axes.barh([name for name, _ in ordered], [share for _, share in ordered], color=_BLUE)
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of the differences")


def _values(axes: Any, name: str, trials: Sequence[Mapping[str, Any]], best: int | None, sign: int) -> None:
    found = [(one["settings"][name], sign * one["value"], one) for one in trials if name in one["settings"]]
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value, _, _ in found)
    for value, score, one in found:
        colour = _RED if one["number"] == best else _GREY if one["pruned"] else _BLUE
        axes.plot([value if numbers else str(value)], [score], "x" if one["pruned"] else "o", color=colour, ms=5)
    positive = [float(value) for value, _, _ in found if numbers and value > 0]
    if numbers and len(positive) == len(found) and max(positive) > 10**_DECADES * min(positive):
        axes.set_xscale("log")
    axes.set_title(name, fontsize=9)
    axes.grid(alpha=0.25)
