"""``provetune.json``: what a bundle knows about itself, its format's version, and the way up from older ones."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeAlias

from provetune.core.errors import CorruptError, UsageError
from provetune.core.files import read_json
from provetune.version import __version__

RECORD = "provetune.json"
FORMAT_VERSION = 1

REQUIRED = ("format_version", "bundle_kind", "task", "targets")
"""Fields that every record has. Further ones: columns, encode, problem, candidate, seed, data, code_hash,
acceptance, verdict, packages, temperature, precision, backbone."""

Migration: TypeAlias = Callable[[dict[str, Any]], dict[str, Any]]

MIGRATIONS: dict[int, Migration] = {}
"""Turns the record of version n into that of version n + 1; the key is n."""

_PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "peft",
    "numpy",
    "scipy",
    "scikit-learn",
    "onnxruntime",
)


def package_versions() -> dict[str, str]:
    """Versions of what a bundle's answers depend on, Python included."""
    found = {"provetune": __version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def record_text(record: Mapping[str, Any]) -> str:
    """The content of ``provetune.json`` for a record."""
    return json.dumps(dict(record), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read_record(folder: Path) -> dict[str, Any]:
    """The record of a bundle, brought up to this version.

    Raises:
        UsageError: the folder is no bundle, or it was made by a newer version.
        CorruptError: the record cannot be read.
    """
    place = Path(folder) / RECORD
    if not place.is_file():
        raise UsageError(
            f"This is not a bundle: it has no {RECORD}.",
            where=str(folder),
            hint="`provetune run` names the bundles it made; give the folder of one.",
        )
    try:
        document = read_json(place)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise CorruptError(f"The record cannot be read ({error}).", where=str(place)) from error
    record = migrate(document, place)
    missing = [field for field in REQUIRED if field not in record]
    if missing:
        raise CorruptError(f"The record lacks the field '{missing[0]}'.", where=str(place))
    return record


def migrate(document: Any, place: Path, migrations: Mapping[int, Migration] | None = None) -> dict[str, Any]:
    """A record of any known version → a record of this version.

    Args:
        migrations: one step up for every older version; those of this package when left out.

    Raises:
        UsageError: the record is newer than this version can read.
        CorruptError: it has no version, or one that never was.
    """
    steps = MIGRATIONS if migrations is None else migrations
    found = document.get("format_version") if isinstance(document, dict) else None
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise CorruptError(f"The record must have a format_version from 1 up. Got {found!r} instead.", where=str(place))
    if found > FORMAT_VERSION:
        raise UsageError(
            f"The bundle has format {found}; this Provetune ({__version__}) reads up to {FORMAT_VERSION}.",
            where=str(place),
            hint="Upgrade with `pip install -U provetune`.",
        )
    record: dict[str, Any] = dict(document)
    for step in range(found, FORMAT_VERSION):
        if step not in steps:
            raise CorruptError(f"There is no way up from format {step}.", where=str(place))
        record = {**steps[step](record), "format_version": step + 1}
    return record
