"""What an adapter must know to be of use alone: the backbone it was learned on, its labels, how texts become tokens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from provetune.core.errors import CorruptError, UsageError
from provetune.core.files import read_json, write_json

ORIGIN = "origin.json"
FORMAT = 1
_KEPT = ("task", "targets", "auto_class", "candidate", "backbone", "encode", "columns", "inputs", "temperature")


def write_origin(folder: Path, record: Mapping[str, Any]) -> None:
    """Write ``origin.json`` beside an adapter.

    Args:
        record: of the bundle that it belongs to.
    """
    problem = record.get("problem") or {}
    kept = {name: record[name] for name in _KEPT if record.get(name) is not None}
    mask = (problem.get("data") or {}).get("mask") or []
    write_json(Path(folder) / ORIGIN, {"format": FORMAT, **kept, "problem": {"data": {"mask": list(mask)}}})


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter alone."""
    return (Path(folder) / ORIGIN).is_file()


def read_origin(folder: Path) -> dict[str, Any]:
    """What `write_origin` wrote, as far as a bundle's record would have it.

    Raises:
        UsageError: a newer version wrote it.
        CorruptError: it cannot be read.
    """
    place = Path(folder) / ORIGIN
    try:
        origin: dict[str, Any] = dict(read_json(place))
        found = int(origin["format"])
        lacking = [name for name in ("task", "targets", "auto_class", "candidate", "backbone") if name not in origin]
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise CorruptError(f"What the adapter says of itself cannot be read ({error!r}).", where=str(place)) from error
    if found > FORMAT:
        raise UsageError(
            f"The adapter has format {found}; this Provetune reads up to {FORMAT}.",
            where=str(place),
            hint="Upgrade with `pip install -U provetune`.",
        )
    if lacking:
        raise CorruptError(f"The adapter does not say its '{lacking[0]}'.", where=str(place))
    return origin


def refuse_other_backbone(origin: Mapping[str, Any], name: str, content_hash: str, where: str) -> None:
    """Refuse a backbone whose files are not those that an adapter was learned on.

    Raises:
        UsageError: they are not.
    """
    learned_on = origin["backbone"]
    known = learned_on.get("content_hash")
    if content_hash != known:
        raise UsageError(
            f"This adapter was learned on '{learned_on.get('name')}' (content {str(known)[:12]}); "
            f"'{name}' is another model (content {content_hash[:12]}).",
            where=where,
            hint="Give the folder of the very model, or load the bundle that the adapter came from.",
        )
