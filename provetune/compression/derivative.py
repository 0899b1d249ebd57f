"""What a derivative says about itself: where it comes from, what was done, what it was judged by, what was forced.

It inherits no test verdict. What its parent had proved on the sealed test was proved of other weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.compression.rows import HALVES
from provetune.core.files import sha256_file
from provetune.models.bundle.manifest import MANIFEST

if TYPE_CHECKING:
    from provetune.compression.step import Made
    from provetune.models.bundle import Bundle

DERIVED, FORCED, JUDGED_ON, TABLE = "derived_from", "forced", "judged_on", "compression"
ESTIMAND = f"these weights, {HALVES} of validation"
_PROVEN_OF_OTHERS = ("acceptance", "verdict", "metrics", JUDGED_ON, TABLE)
_FIXED = ("format_version", "bundle_kind", "task", "targets", "packages")
_OF_WEIGHTS = ("weights", "batches")
"""Number format, and whether rows may be answered together: a step that changes the weights says them anew."""

_LEFT_BEHIND = (*_PROVEN_OF_OTHERS, *_FIXED, *_OF_WEIGHTS)


def manifest_hash(folder: Path) -> str:
    """What names a bundle's content: the SHA-256 of its manifest."""
    return sha256_file(Path(folder) / MANIFEST)


def carried_over(parent: Mapping[str, Any], made: Made) -> dict[str, Any]:
    """The parent's record as far as it is true of a derivative too, with what the step changed."""
    kept = {name: value for name, value in parent.items() if name not in _LEFT_BEHIND}
    return {**kept, **made.record}


def lineage(parent: Bundle, step: Mapping[str, Any]) -> dict[str, Any]:
    """Parent and first bundle of a chain, with every step on the way.

    Args:
        step: ``step``, ``settings`` and ``notes`` of the last one.
    """
    before = parent.record.get(DERIVED) or {}
    own = {"bundle": parent.path.name, "manifest": manifest_hash(parent.path)}
    return {**own, "first": before.get("first", own), "steps": [*before.get("steps", []), dict(step)]}


def forced_steps(parent: Mapping[str, Any], step: str, broke: Sequence[str]) -> list[dict[str, Any]]:
    """What was forced on the way to a derivative, its own step among it; it never becomes less."""
    before: list[dict[str, Any]] = list(parent.get(FORCED) or [])
    return [*before, {"step": step, "broke": list(broke)}] if broke else before


def first_beside(parent: Bundle) -> Path | None:
    """Where the first bundle of a parent's chain lies: beside it, unchanged; None where it does not."""
    first = (parent.record.get(DERIVED) or {}).get("first")
    if not first:
        return None
    place = parent.path.parent / str(first["bundle"])
    # A name from a record is never taken for a path.
    if place.name != first["bundle"] or not (place / MANIFEST).is_file():
        return None
    return place if manifest_hash(place) == first["manifest"] else None


def is_the_same(folder: Path, parent: Bundle, step: Mapping[str, Any]) -> bool:
    """Whether the bundle at `folder` was made by this step, so set, from this parent."""
    from provetune.core.errors import ProvetuneError
    from provetune.models.bundle.record import read_record

    try:
        found = read_record(folder).get(DERIVED) or {}
    except ProvetuneError:
        return False
    last = (found.get("steps") or [{}])[-1]
    asked = {name: last.get(name) for name in ("step", "settings", "seed")}
    return found.get("manifest") == manifest_hash(parent.path) and asked == dict(step)
