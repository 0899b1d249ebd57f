"""Drawings one line high, under one another on one axis: seeds as dots, intervals as lines.

Names stand beside them in the page, where they can wrap; here are marks alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from provetune.study.report_html.plots.scale import Scale, tick_text
from provetune.study.report_html.plots.svg import element, figure, link, percent

_HEIGHT = 30
_CLOSE = 0.012


@dataclass(frozen=True)
class Dot:
    """A value to be shown as a dot: where it leads, and what is said of it."""

    value: float
    href: str
    title: str


@dataclass(frozen=True)
class Interval:
    """An effect with what is known of it.

    Attributes:
        effect: the estimate.
        low, high: ends of its interval, None where there is none.
        needed: the value it has to pass, or both ends of the range it has to lie in.
        href: where the numbers come from.
        verdict: name of its colour.
    """

    effect: float
    low: float | None
    high: float | None
    needed: tuple[float, ...]
    href: str
    verdict: str


def dot_strip(
    title: str, description: str, dots: Sequence[Dot], mean: float | None, scale: Scale, colour: str
) -> Markup:
    """A candidate's seeds on an axis, with a bar at their mean; dots that would cover each other are stacked."""
    marks = [_ground()]
    if mean is not None:
        at = percent(scale.place(mean))
        marks.append(element("line", x1=at, x2=at, y1=4, y2=_HEIGHT - 4, class_="mean", stroke=f"var(--{colour})"))
    for dot, level in zip(dots, _levels([scale.place(dot.value) for dot in dots]), strict=True):
        circle = element(
            "circle",
            cx=percent(scale.place(dot.value)),
            cy=_HEIGHT / 2 - level,
            r=5,
            fill=f"var(--{colour})",
            class_="dot",
        )
        marks.append(link(dot.href, circle, title=dot.title))
    return figure(title, description, *marks, width="100%", height=_HEIGHT, class_="strip")


def interval_strip(title: str, description: str, shown: Interval, scale: Scale) -> Markup:
    """One line of a forest plot: the interval, the estimate, and a dashed line (or band) at what is claimed."""
    colour = f"var(--{shown.verdict})"
    marks = [_ground(), *_needed(shown.needed, scale)]
    if scale.low < 0 < scale.high:
        at = percent(scale.place(0.0))
        marks.append(element("line", x1=at, x2=at, y1=0, y2=_HEIGHT, class_="zero"))
    middle = _HEIGHT / 2
    drawn = []
    if shown.low is not None and shown.high is not None:
        ends = [percent(scale.place(shown.low)), percent(scale.place(shown.high))]
        drawn.append(element("line", x1=ends[0], x2=ends[1], y1=middle, y2=middle, stroke=colour, stroke_width=3))
        drawn += [
            element("line", x1=end, x2=end, y1=middle - 5, y2=middle + 5, stroke=colour, stroke_width=2)
            for end, value in zip(ends, (shown.low, shown.high), strict=True)
            if scale.holds(value)
        ]
    drawn.append(element("circle", cx=percent(scale.place(shown.effect)), cy=middle, r=6, fill=colour, class_="dot"))
    marks.append(link(shown.href, *drawn, title=description))
    return figure(title, description, *marks, width="100%", height=_HEIGHT, class_="strip")


def axis_strip(scale: Scale) -> Markup:
    """The axis under strips. It repeats no word of theirs, so readers of the page aloud pass over it."""
    marks = []
    for tick in scale.ticks():
        share = scale.place(tick)
        anchor = "start" if share < 0.06 else "end" if share > 0.94 else "middle"
        marks.append(element("line", x1=percent(share), x2=percent(share), y1=0, y2=5, class_="axis"))
        marks.append(element("text", tick_text(tick, scale), x=percent(share), y=18, text_anchor=anchor))
    base = element("line", x1="0%", x2="100%", y1=0, y2=0, class_="axis")
    return element("svg", base, *marks, width="100%", height=22, class_="strip axis-strip", aria_hidden="true")


def _ground() -> Markup:
    return element("line", x1="0%", x2="100%", y1=_HEIGHT / 2, y2=_HEIGHT / 2, class_="ground")


def _needed(needed: Sequence[float], scale: Scale) -> list[Markup]:
    if len(needed) == 2:
        left, right = (scale.place(value) for value in needed)
        return [element("rect", x=percent(left), y=2, width=percent(right - left), height=_HEIGHT - 4, class_="band")]
    places = [percent(scale.place(value)) for value in needed]
    return [element("line", x1=at, x2=at, y1=2, y2=_HEIGHT - 2, class_="needed") for at in places]


def _levels(places: Sequence[float]) -> list[float]:
    """How far each dot is lifted, so that equal values are seen as several: 0, 4, -4, 8, -8, …"""
    taken: list[tuple[float, float]] = []
    for place in places:
        steps = [0.0] + [sign * 4.0 * step for step in range(1, 3) for sign in (1, -1)]
        free = (step for step in steps if not any(abs(place - at) < _CLOSE and step == height for at, height in taken))
        taken.append((place, next(free, 0.0)))
    return [height for _, height in taken]
