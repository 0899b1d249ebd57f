"""The manifest: the SHA-256 of every file of a bundle, so that a changed byte, a missing or a foreign file is noticed.

It protects against damage and against mixing files up. It is not a signature: whoever rewrites the manifest too can
change anything, which is why no file of a bundle may be of a kind that runs code when it is read.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from provetune.core.errors import CorruptError
from provetune.core.files import sha256_file, write_bytes
from provetune.models.bundle.remote_code import drop_remote_code, refuse_remote_code
from provetune.models.weights import PICKLED_SUFFIXES

MANIFEST = "manifest.json"
# File browsers leave these behind; nothing reads them.
_IGNORED = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})
_CODE = frozenset({".py", ".pyc", ".so", ".dll", ".dylib", ".sh", ".bat", ".exe"})
_HINT = "Take the bundle from where it was made again, or train it again."


def write_manifest(folder: Path) -> None:
    """Record the hash of every file below `folder` in its ``manifest.json``, atomically.

    What asks for code from elsewhere is taken out first, see `drop_remote_code`.

    Raises:
        CorruptError: a file is a link, or of a kind that can run code when it is read.
    """
    present = _present(Path(folder))
    drop_remote_code(Path(folder))
    hashes = {name: sha256_file(Path(folder) / name) for name in sorted(present)}
    write_bytes(Path(folder) / MANIFEST, manifest_text(hashes).encode())


def manifest_text(hashes: Mapping[str, str]) -> str:
    """The content of a manifest for these hashes by file name: one text for one set of hashes."""
    files = dict(sorted(hashes.items()))
    own = hashlib.sha256(json.dumps(files, ensure_ascii=False).encode()).hexdigest()
    return json.dumps({"format": 1, "sha256": own, "files": files}, indent=2, ensure_ascii=False) + "\n"


def read_manifest(folder: Path) -> dict[str, str]:
    """The recorded hashes by file name.

    Raises:
        CorruptError: there is no manifest, a byte of it was changed, or it names a place outside the bundle.
    """
    place = Path(folder) / MANIFEST
    if place.is_symlink():
        raise CorruptError("A bundle holds files only, and this is a link.", where=str(place), hint=_HINT)
    try:
        text = place.read_bytes().decode()
        document: Any = json.loads(text)
        files = {str(name): str(digest) for name, digest in document["files"].items()}
    except FileNotFoundError as error:
        raise CorruptError("The bundle has no manifest.", where=str(place), hint=_HINT) from error
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise CorruptError("The manifest cannot be read.", where=str(place), hint=_HINT) from error
    if text != manifest_text(files):
        raise CorruptError("The manifest was changed after it was written.", where=str(place), hint=_HINT)
    for name in files:
        path = PurePosixPath(name)
        outside = path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or path.as_posix() != name
        if outside or not path.parts:
            raise CorruptError(f"The manifest names a place outside the bundle: {name!r}.", where=str(place))
    return files


def verify_manifest(folder: Path) -> None:
    """Compare every file below `folder` with the manifest.

    Raises:
        CorruptError: names the first file that is changed, missing, foreign, a link, or able to run code or asking for
            some.
    """
    recorded = read_manifest(folder)
    present = _present(Path(folder))
    for name, digest in sorted(recorded.items()):
        place = Path(folder) / name
        if name not in present:
            raise CorruptError("A file of the bundle is missing.", where=str(place), hint=_HINT)
        found = sha256_file(place)
        if found != digest:
            raise CorruptError(
                f"The file was changed: SHA-256 must be {digest}. Got {found} instead.", where=str(place), hint=_HINT
            )
    foreign = sorted(present - recorded.keys())
    if foreign:
        raise CorruptError(
            "This file does not belong to the bundle.", where=str(Path(folder) / foreign[0]), hint="Remove it."
        )
    refuse_remote_code(Path(folder))


def _present(folder: Path) -> set[str]:
    """Names of the files below `folder`, with forward slashes; the manifest itself is left out."""
    names = set()
    for parent, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            place = Path(parent) / name
            if place.is_symlink():
                raise CorruptError("A bundle holds files only, and this is a link.", where=str(place), hint=_HINT)
        for name in files:
            place = Path(parent) / name
            if name in _IGNORED:
                continue
            if place.suffix.casefold() in PICKLED_SUFFIXES | _CODE:
                raise CorruptError(
                    "A file of this kind can run code when it is read; a bundle must not have one.",
                    where=str(place),
                    hint="Weights in a bundle are safetensors.",
                )
            names.add(place.relative_to(folder).as_posix())
    return names - {MANIFEST}
