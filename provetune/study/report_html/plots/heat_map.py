"""A compact map of confusions for many labels: a cell a pair, darker where more of the gold label's rows went there."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from provetune.study.report_html.plots.svg import element, figure, link

LEVELS = 5


def heat_map(title: str, description: str, counts: Sequence[Sequence[int]], href: str) -> Markup:
    """Gold labels down, given labels across. Cells of one shade are one path, so that 150 labels stay small.

    Args:
        counts: (C, C).
        href: where the counts come from.
    """
    size = len(counts)
    shades: dict[str, list[str]] = {}
    for row, line in enumerate(counts):
        total = sum(line)
        for column, count in enumerate(line):
            if count:
                kind = "right" if row == column else "wrong"
                shades.setdefault(f"{kind}-{_level(count / total)}", []).append(f"M{column} {row}h1v1h-1z")
    paths = [element("path", d="".join(cells), class_=f"shade {name}") for name, cells in sorted(shades.items())]
    frame = element("rect", x=0, y=0, width=size, height=size, class_="frame")
    return figure(
        title,
        description,
        frame,
        link(href, *paths),
        viewBox=f"0 0 {size} {size}",
        class_="heat",
        shape_rendering="crispEdges",
    )


def _level(share: float) -> int:
    """Shade of a share: 1 for little, 5 for all."""
    return max(1, min(LEVELS, -int(-share * LEVELS // 1)))
