"""Learning curves: a line a run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from provetune.study.report_html.plots.scale import Scale, tick_text
from provetune.study.report_html.plots.svg import element, figure, link, percent, points

_HEIGHT = 150
_TOP, _BOTTOM = 18, 20
_MOST_X_TICKS = 4


@dataclass(frozen=True)
class Line:
    """One run's values by step, where it leads and what is said of it."""

    values: Sequence[tuple[float, float]]
    href: str
    title: str


def line_plot(title: str, description: str, lines: Sequence[Line], x: Scale, y: Scale, colour: str) -> Markup:
    """Lines over steps; they stretch with the drawing, their letters do not.

    Values that are not numbers are left out.
    """
    inner = _HEIGHT - _TOP - _BOTTOM
    drawn = []
    for line in lines:
        known = [(step, value) for step, value in line.values if math.isfinite(value)]
        at = points((100 * x.place(step), 100 * (1 - y.place(value))) for step, value in known)
        shape = element(
            "polyline", points=at, class_="curve", stroke=f"var(--{colour})", vector_effect="non-scaling-stroke"
        )
        drawn.append(link(line.href, shape, title=line.title))
    sheet = element(
        "svg", *drawn, x=0, y=_TOP, width="100%", height=inner, viewBox="0 0 100 100", preserveAspectRatio="none"
    )
    levels = [(tick, _TOP + inner * (1 - y.place(tick))) for tick in y.ticks(4)]
    grid = [element("line", x1="0%", x2="100%", y1=at, y2=at, class_="grid") for _, at in levels]
    named = [element("text", tick_text(tick, y), x=2, y=at - 3) for tick, at in levels]
    base = element("line", x1="0%", x2="100%", y1=_TOP + inner, y2=_TOP + inner, class_="axis")
    steps = [_step(tick, x) for tick in x.ticks(_MOST_X_TICKS)]
    return figure(title, description, *grid, base, sheet, *named, *steps, width="100%", height=_HEIGHT, class_="plot")


def _step(tick: float, x: Scale) -> Markup:
    share = x.place(tick)
    anchor = "start" if share < 0.06 else "end" if share > 0.94 else "middle"
    return element("text", tick_text(tick, x), x=percent(share), y=_HEIGHT - 5, text_anchor=anchor)
