"""Where downloaded models are kept on this machine."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from provetune.core.errors import EnvironmentFault
from provetune.core.files import disk_errors
from provetune.models.catalogue import Entry

_HINT = "Set the environment variable PROVETUNE_CACHE to a folder that can be written and has space."
_UNPACKING = {"folder": "1", "zip_parts": "1", "gguf": "2"}


def cache_folder() -> Path:
    """The folder for downloads: ``PROVETUNE_CACHE``, or this system's usual place. It may not exist yet."""
    chosen = os.environ.get("PROVETUNE_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
        return (Path(base) if base else Path.home() / "AppData" / "Local") / "provetune" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "provetune"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "provetune"


def model_folder(entry: Entry) -> Path:
    """Where a model of the catalogue lies once it is unpacked.

    Its name carries a hash of what it is made from, and of how: an entry that changes gets a folder of its own.
    """
    parts = [_UNPACKING[entry.layout], entry.layout, entry.inside, *(package.sha256 for package in entry.packages)]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
    return cache_folder() / "models" / f"{entry.name}-{key}"


def downloads_folder() -> Path:
    """Where checked archives wait until the model they belong to is complete."""
    return cache_folder() / "downloads"


def locks_folder() -> Path:
    """Where the locks lie that keep two calls from downloading the same model."""
    return cache_folder() / "locks"


@contextmanager
def cache_errors() -> Iterator[None]:
    """Turn a full disk or a read-only place under the cache into one line that says how to move the cache."""
    try:
        with disk_errors(cache_folder()):
            yield
    except EnvironmentFault as error:
        if isinstance(error.__cause__, OSError):
            raise EnvironmentFault(error.message, where=error.where, hint=_HINT) from error.__cause__
        raise
