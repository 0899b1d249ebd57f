"""Elements of SVG as safe markup: whatever is put into them is escaped.

Positions are per cent of the drawing wherever a plot has words in it, so that the drawing can be as narrow as a phone
while its letters stay as large as the page's.
"""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup, escape


def element(name: str, *children: object, **attributes: object) -> Markup:
    """One element. ``_`` in attribute names stands for ``-``, a trailing one is dropped; None leaves one out."""
    parts = [
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _number(value))
        for key, value in attributes.items()
        if value is not None
    ]
    inside = Markup("").join(escape(child) for child in children)
    return Markup("<{}{}>{}</{}>").format(Markup(name), Markup("").join(parts), inside, Markup(name))


def figure(title: str, description: str, *children: object, **attributes: object) -> Markup:
    """A drawing that says in words what it shows, for those who do not see it."""
    heads = (element("title", title), element("desc", description))
    return element("svg", *heads, *children, role="img", aria_label=f"{title}. {description}", **attributes)


def link(href: str | None, *children: object, title: str | None = None) -> Markup:
    """Elements that lead to a place of the page when they are clicked, with words for who points at them."""
    heads = () if title is None else (element("title", title),)
    if href is None:
        return element("g", *heads, *children)
    return element("a", *heads, *children, href=href)


def percent(share: float) -> str:
    """A share of the drawing's width or height as SVG writes it."""
    return f"{100 * share:.2f}%"


def points(pairs: Iterable[tuple[float, float]]) -> str:
    """Coordinates of a polyline."""
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in pairs)


def _number(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
