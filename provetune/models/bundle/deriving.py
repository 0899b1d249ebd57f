"""A bundle once more, with another record and other golden answers: the same weights, nothing read from them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from provetune.core.files import atomic_path, link_or_copy, write_bytes
from provetune.models.bundle.card import CARD, model_card
from provetune.models.bundle.golden import Golden, write_golden
from provetune.models.bundle.manifest import MANIFEST, verify_manifest, write_manifest
from provetune.models.bundle.record import RECORD, record_text


def rewrite_bundle(source: Path, target: Path, record: Mapping[str, Any], golden: Golden) -> Path:
    """Write `target` with the files of `source` and this record, its card, these golden examples and a new manifest.

    Whole or not at all. Weights are second names of the same bytes where the disk knows such, so a bundle takes its
    space once. What lies at `target` is replaced.

    Raises:
        CorruptError: the source is not what its manifest says.
        EnvironmentFault: no space, or the place cannot be written.
    """
    verify_manifest(Path(source))
    with atomic_path(Path(target)) as temporary:
        shutil.copytree(source, temporary, copy_function=link_or_copy)
        (temporary / MANIFEST).unlink()
        write_golden(temporary, golden)
        write_bytes(temporary / RECORD, record_text(record).encode())
        write_bytes(temporary / CARD, model_card(record).encode())
        write_manifest(temporary)
    return Path(target)
