"""Files that a candidate's settings name: found before any work is done, and hashed into what a study is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from provetune.core.errors import UsageError
from provetune.core.files import sha256_file
from provetune.core.minimised import NamesFiles


def hash_named_files(
    plugins: Iterable[tuple[object, Any]], folder: Path, where: Callable[[str], str]
) -> dict[str, str]:
    """SHA-256 of what lies at each path that these settings name, by field.

    Args:
        plugins: method and objectives, each with its settings.
        folder: the problem file's.
        where: the place of a field in the problem file.

    Raises:
        UsageError: there is nothing at one of them.
    """
    found: dict[str, str] = {}
    for plugin, settings in plugins:
        if not isinstance(plugin, NamesFiles):
            continue
        for field, written in plugin.files(settings).items():
            place = folder / Path(written).expanduser()
            if not place.exists():
                raise UsageError(f"There is no file or folder '{written}'.", where=where(field))
            found[field] = _content_hash(place)
    return found


def _content_hash(place: Path) -> str:
    if place.is_file():
        return sha256_file(place)
    files: Mapping[str, Path] = {
        str(path.relative_to(place)): path for path in sorted(place.rglob("*")) if path.is_file()
    }
    lines = [f"{name} {sha256_file(path)}" for name, path in files.items()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
