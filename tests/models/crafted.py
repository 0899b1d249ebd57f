"""What the tests of this room make themselves: the head of a tiny classifier, wheels, catalogue entries.

A module of its own rather than a part of ``conftest``: processes that a test starts import it by name, and there
is more than one ``conftest``.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from provetune.models.catalogue import Entry, Package

HEAD = {
    "num_labels": 3,
    "id2label": {0: "card", 1: "other", 2: "parcel"},
    "label2id": {"card": 0, "other": 1, "parcel": 2},
}


def make_wheel(folder: Path, name: str, version: str, files: Mapping[str, bytes]) -> Path:
    """A wheel that pip accepts, holding `files`."""
    flat = name.replace("-", "_")
    info = f"{flat}-{version}.dist-info"
    contents = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{flat}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in contents.items():
            archive.writestr(path, content)
    return wheel


def package_of(wheel: Path, name: str, version: str) -> Package:
    content = wheel.read_bytes()
    return Package(name=name, version=version, sha256=hashlib.sha256(content).hexdigest(), size=len(content))


def entry_of(*packages: Package, **fields: Any) -> Entry:
    """A catalogue entry called ``tiny-model`` made of these packages."""
    facts: dict[str, Any] = {
        "name": "tiny-model",
        "what": "a model for tests",
        "family": "bert",
        "licence": "Apache-2.0",
        "licence_note": "",
        "languages": ("en",),
        "default_for": ("en",),
        "parameters": 1,
        "layout": "folder",
        "inside": "tiny_model/model/",
        "needs": (),
        "packages": packages,
    }
    return Entry(**{**facts, **fields})
