"""Changing what a bundle says about itself once its verdict is known: record, card and manifest together.

Three files cannot be renamed at once, so the new contents go into one file first. From the moment that file is
there the change has happened: whoever opens the bundle finishes it, however often it is cut off.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from provetune.core.errors import CorruptError
from provetune.core.files import read_json, sync_folder, write_bytes, write_json
from provetune.models.bundle.card import CARD, model_card
from provetune.models.bundle.manifest import MANIFEST, manifest_text, read_manifest, verify_manifest
from provetune.models.bundle.record import RECORD, read_record, record_text

PENDING = "update.json"
_CHANGED = (RECORD, CARD, MANIFEST)


def update_record(bundle: Path, **fields: Any) -> dict[str, Any]:
    """Set fields of a bundle's ``provetune.json`` and renew its card and manifest; returns the new record.

    Args:
        bundle: the bundle's folder.
        fields: e.g. ``acceptance=[…]``, ``verdict="…"``, ``metrics={…}``.

    Raises:
        ValueError: a field is one that never changes.
        CorruptError: the bundle is not what its manifest says; it is left as it is.
        EnvironmentFault: no space, or the place cannot be written.
    """
    fixed = sorted({"format_version", "bundle_kind", "task", "targets"} & fields.keys())
    if fixed:
        raise ValueError(f"The field '{fixed[0]}' of a bundle never changes.")
    folder = Path(bundle)
    finish_update(folder)
    verify_manifest(folder)
    record = {**read_record(folder), **fields}
    texts = {RECORD: record_text(record), CARD: model_card(record)}
    hashes = read_manifest(folder)
    for name, text in texts.items():
        hashes[name] = hashlib.sha256(text.encode()).hexdigest()
    write_json(folder / PENDING, {**texts, MANIFEST: manifest_text(hashes)})
    finish_update(folder)
    return record


def finish_update(folder: Path) -> None:
    """Carry out a change that was written down but cut off; does nothing where there is none.

    Raises:
        CorruptError: the change cannot be read.
    """
    place = Path(folder) / PENDING
    if not place.is_file() or place.is_symlink():
        return
    try:
        pending = read_json(place)
        texts = {name: pending[name] for name in _CHANGED}
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise CorruptError("A pending change of the bundle cannot be read.", where=str(place)) from error
    if not all(isinstance(text, str) for text in texts.values()) or set(pending) != set(_CHANGED):
        raise CorruptError("A pending change of the bundle is not one that is ever made.", where=str(place))
    for name, text in texts.items():
        write_bytes(Path(folder) / name, text.encode())
    place.unlink()
    sync_folder(Path(folder))
