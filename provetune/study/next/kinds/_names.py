"""Names of new candidates: what they are made from and what differs, and a number where that is taken."""

from __future__ import annotations

import re


def variant_name(base: str, what: str) -> str:
    """E.g. ``full`` and ``more`` make ``full_more``, ``full_more`` and ``more`` make ``full_more2``."""
    again = re.fullmatch(rf"(.*_{what})(\d*)", base)
    if again is None:
        return f"{base}_{what}"
    return f"{again.group(1)}{int(again.group(2) or 1) + 1}"
