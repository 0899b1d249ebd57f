"""Configurations that ask for code of their own: ``auto_map``, by which transformers would fetch and run it.

``trust_remote_code`` is off wherever a model is loaded, so nothing would run; but a bundle that asks for it is not one
that was written here, and other programs load bundles too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from provetune.core.errors import CorruptError
from provetune.core.files import read_json, write_json

_CONFIGURATIONS = "*config.json"
_ASKING = ("auto_map", "custom_pipelines")


def drop_remote_code(folder: Path) -> None:
    """Take out of the configurations below `folder` what asks for code: a backbone may have had it from where it came,
    and transformers hands it on with what it saves."""
    for place, document in _configurations(folder):
        if any(name in document for name in _ASKING):
            write_json(place, {name: value for name, value in document.items() if name not in _ASKING})


def refuse_remote_code(folder: Path) -> None:
    """Refuse a folder with a configuration that asks for code.

    Raises:
        CorruptError: names the first.
    """
    for place, document in _configurations(folder):
        for name in _ASKING:
            if name in document:
                raise CorruptError(
                    f"The configuration asks for code of its own ('{name}'), which is never run.",
                    where=str(place),
                    hint="Take the bundle from where it was made again.",
                )


def _configurations(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    found = []
    for place in sorted(Path(folder).rglob(_CONFIGURATIONS)):
        try:
            document = read_json(place)
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
            continue  # whoever loads it says what is wrong with it
        if isinstance(document, dict):
            found.append((place, document))
    return found
