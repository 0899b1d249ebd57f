"""The reliability diagram: how often answers of a certain confidence are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from provetune.study.report_html.plots.svg import element, figure, points

_SIZE, _LEFT, _FOOT = 300, 48, 34
_INNER = _SIZE - _LEFT - 8
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


def reliability_diagram(
    title: str,
    description: str,
    bins: Sequence[Mapping[str, Any]],
    before: Sequence[Mapping[str, Any]],
    axes: tuple[str, str],
    colour: str,
) -> Markup:
    """Accuracy over confidence a bin; a mark's area is its share of the rows.

    Args:
        bins: after the temperature, see `provetune.evaluation.calibration.reliability_bins`; filled marks.
        before: before it; hollow marks.
        axes: names of the axes, confidence and accuracy.
    """
    total = sum(one["rows"] for one in bins) or 1
    diagonal = element("line", x1=_x(0), y1=_y(0), x2=_x(1), y2=_y(1), class_="needed")
    hollow = [
        element("circle", cx=_x(one["confidence"]), cy=_y(one["accuracy"]), r=3.5, class_="hollow") for one in before
    ]
    joined = element(
        "polyline",
        points=points((_x(one["confidence"]), _y(one["accuracy"])) for one in bins),
        class_="curve",
        stroke=f"var(--{colour})",
    )
    marks = [
        element(
            "circle",
            element("title", f"{one['confidence']:.3f} → {one['accuracy']:.3f} ({one['rows']:,})"),
            cx=_x(one["confidence"]),
            cy=_y(one["accuracy"]),
            r=3 + 9 * (one["rows"] / total) ** 0.5,
            fill=f"var(--{colour})",
            class_="dot",
        )
        for one in bins
    ]
    names = (
        element("text", axes[0], x=_x(0.5), y=_SIZE + 4, text_anchor="middle"),
        element("text", axes[1], x=-_y(0.5), y=10, transform="rotate(-90)", text_anchor="middle"),
    )
    parts = (*_grid(), diagonal, *hollow, joined, *marks, *names)
    return figure(title, description, *parts, viewBox=f"0 0 {_SIZE} {_SIZE + 8}", class_="square plot")


def _grid() -> list[Markup]:
    marks = []
    for tick in _TICKS:
        marks.append(element("line", x1=_x(0), x2=_x(1), y1=_y(tick), y2=_y(tick), class_="grid"))
        marks.append(element("text", f"{tick:g}", x=_x(0) - 4, y=_y(tick) + 4, text_anchor="end"))
        marks.append(element("text", f"{tick:g}", x=_x(tick), y=_y(0) + 14, text_anchor="middle"))
    return marks


def _x(value: float) -> float:
    return _LEFT + _INNER * value


def _y(value: float) -> float:
    return _SIZE - _FOOT - (_SIZE - _FOOT - 8) * value
