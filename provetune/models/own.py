"""Backbones of one's own in the cache: made by `provetune pretrain`, found by their names as the catalogue's are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from provetune.core.errors import CorruptError, UsageError
from provetune.core.files import read_json
from provetune.models import catalogue
from provetune.models.cache import cache_folder, locks_folder
from provetune.models.download import ORIGIN

_WORK, _IDENTITY_LETTERS = "pretraining", 12
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a backbone.

    Raises:
        UsageError: it is no plain name, or the catalogue's.
    """
    if name == "auto" or name in catalogue.names():
        raise UsageError(f"The name '{name}' is taken.", hint="Take another, e.g. one that says what the texts are.")
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"A backbone's name has small letters, digits and .-_ in it. Got '{name}' instead.",
            hint="Take a name such as support-mlm.",
        )


def own_folder(name: str) -> Path:
    """Where the backbone called `name` lies, or would lie."""
    return cache_folder() / "own" / name


def names() -> list[str]:
    """Names of the backbones that are there, sorted."""
    folder = cache_folder() / "own"
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if (path / ORIGIN).is_file() and path.name[0] != ".")


def read_origin(name: str) -> dict[str, Any]:
    """How a backbone was made: ``model``, ``pretraining`` and ``files``.

    Raises:
        CorruptError: that cannot be read.
    """
    place = own_folder(name) / ORIGIN
    try:
        document: dict[str, Any] = read_json(place)
        if not {"model", "pretraining", "files"} <= document.keys():
            raise ValueError("parts of it are missing")
    except (OSError, ValueError, AttributeError) as error:
        raise CorruptError(
            f"This record of a backbone cannot be read ({error}).", where=str(place), hint="Make the backbone again."
        ) from error
    return document


def list_own() -> list[dict[str, Any]]:
    """Every backbone that is there, as JSON-ready facts."""
    found = []
    for name in names():
        origin = read_origin(name)
        made = {key: origin["pretraining"].get(key) for key in ("objective", "from", "texts")}
        found.append({**origin["model"], **made, "path": str(own_folder(name))})
    return found


def work_folder(name: str, identity: str) -> Path:
    """Where a backbone called `name` is worked on until it is done; other settings work elsewhere."""
    return cache_folder() / _WORK / f"{name}-{identity[:_IDENTITY_LETTERS]}"


def unfinished() -> list[tuple[str, Path]]:
    """Name and folder of each backbone that was begun and is not done, sorted."""
    folder = cache_folder() / _WORK
    if not folder.is_dir():
        return []
    return [(path.name[: -_IDENTITY_LETTERS - 1], path) for path in sorted(folder.iterdir()) if path.is_dir()]


def lock_file(name: str) -> Path:
    """The lock that keeps two calls from making the same backbone."""
    return locks_folder() / f"own-{name}.lock"
