"""Turning an unknown name into help: what exists, and the nearest of it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, or None when nothing is close. Case does not count."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    matches = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    if matches:
        return by_folded[matches[0]]
    starts = [original for folded, original in by_folded.items() if folded.startswith(name.casefold())]
    return starts[0] if len(starts) == 1 and name else None


def advice(name: str, known: Iterable[str], limit: int = 12) -> str:
    """A sentence for an error's hint: the nearest name if there is one, and what exists."""
    names = sorted(known)
    guess = nearest(name, names)
    listed = ", ".join(names[:limit]) + (f", … ({len(names)} in all)" if len(names) > limit else "")
    start = f"Did you mean '{guess}'? " if guess else ""
    return f"{start}Known: {listed}." if names else f"{start}There are none."
