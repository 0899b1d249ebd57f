"""Whether the cells of a column hold several labels, with a sign between them: ``Comedy|Drama``."""

from __future__ import annotations

import re
from collections.abc import Sequence

SEPARATORS = ("|", ";", "；", "、", ",", "，")
"""Signs that stand between labels, the most telling first."""

_LEAST_SHARE = 0.05
_FEWER = {",": 0.5, "，": 0.5}
_LONGEST = 40
_KNOWN_SHARE = 0.9
_THOUSAND = 3
_NUMBER_PART = re.compile(r"\s*[+-]?\d*\s*\Z")


def find_separator(cells: Sequence[str | None]) -> str | None:
    """The sign between the labels of a cell; None where cells hold one label each.

    A sign in a label's own name (``Cause-Effect(e1,e2)``, ``black, white``) is none: cut there, its parts are as many
    as the names, or hardly ever stand in other company.
    """
    filled = [cell for cell in cells if cell is not None and cell.strip()]
    return next((sign for sign in SEPARATORS if _separates(filled, sign)), None)


def _separates(cells: Sequence[str], sign: str) -> bool:
    several = [cell for cell in cells if sign in cell]
    if len(several) < max(2, _LEAST_SHARE * len(cells)):
        return False
    parts = [[part.strip() for part in cell.split(sign)] for cell in several]
    if (
        sign in ",，"
        and all(_NUMBER_PART.match(part) for found in parts for part in found)
        and not _lists_numbers(parts)
    ):
        return False
    if any(not part or len(part) > _LONGEST for found in parts for part in found):
        return False
    # Names that come back in other company: fewer parts than different cells, and beside several others or alone.
    alone = {cell.strip() for cell in cells if sign not in cell}
    company: dict[str, set[str]] = {}
    for found in parts:
        for part in found:
            company.setdefault(part, set()).update(other for other in found if other != part)
    free = [part in alone or len(company[part]) > 1 for found in parts for part in found]
    most = max(2.0, _FEWER.get(sign, 1.0) * len(set(cells)))
    return sum(free) >= _KNOWN_SHARE * len(free) and len({*company, *alone}) <= most


def _lists_numbers(parts: Sequence[Sequence[str]]) -> bool:
    """Whether numbers between commas are labels: decimals have two parts, and thousands three digits in each."""
    longest = max(parts, key=len)
    return len(longest) > 2 and not all(len(part) == _THOUSAND for found in parts for part in found[1:])
