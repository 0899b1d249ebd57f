"""Opening a bundle: checked byte by byte first, then described; weights are loaded by whoever predicts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provetune.core.errors import CorruptError, UsageError
from provetune.core.protocols import EncodeSettings, Targets
from provetune.models.bundle.golden import Golden, read_golden
from provetune.models.bundle.manifest import verify_manifest
from provetune.models.bundle.record import RECORD, read_record
from provetune.models.bundle.updating import finish_update
from provetune.models.bundle.writing import ADAPTER, BESIDE, ENCODER


@dataclass(frozen=True)
class Bundle:
    """A bundle on this machine.

    Attributes:
        path: its folder.
        kind: ``bundle_kind``, which names the inference backend.
        task: name of the task.
        targets: what it predicts.
        record: all of ``provetune.json``.
    """

    path: Path
    kind: str
    task: str
    targets: Targets
    record: dict[str, Any]

    @property
    def golden(self) -> Golden:
        """The golden examples."""
        return read_golden(self.path)

    @property
    def encode(self) -> EncodeSettings | None:
        """How texts become tokens; None where the kind has no tokens."""
        found = self.record.get("encode")
        return EncodeSettings(**found) if found else None

    @property
    def model_path(self) -> Path:
        """Folder of the transformers model: the bundle itself, or its encoder's folder."""
        return self.path / ENCODER if self.kind in BESIDE else self.path

    @property
    def adapter(self) -> Path | None:
        """Folder of the adapter that was merged, where there is one."""
        folder = self.path / ADAPTER
        return folder if folder.is_dir() else None


def open_bundle(path: Path | str, verify: bool = True) -> Bundle:
    """Describe the bundle in a folder.

    Args:
        verify: compare every file with the manifest first. Without it, only small files are read.

    Raises:
        UsageError: there is no bundle, or it was made by a newer version.
        CorruptError: a file was changed, is missing, is foreign, is a link, or can run code.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise UsageError(
            "There is no bundle at this place.",
            where=str(path),
            hint="`provetune run` names the bundles it made; give the folder of one.",
        )
    if not (folder / RECORD).is_file():
        read_record(folder)  # says that it is no bundle
    finish_update(folder)
    if verify:
        verify_manifest(folder)
    record = read_record(folder)
    try:
        targets = Targets.from_json(record["targets"])
        bundle = Bundle(folder, str(record["bundle_kind"]), str(record["task"]), targets, record)
    except (KeyError, TypeError, AttributeError) as error:
        raise CorruptError(f"The record's targets cannot be read ({error!r}).", where=str(folder / RECORD)) from error
    if not bundle.model_path.is_dir():
        raise CorruptError("The bundle has no encoder.", where=str(bundle.model_path))
    return bundle
