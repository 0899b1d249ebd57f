"""What takes space in a workspace, and what of it can go.

Nothing that a verdict rests on is ever freed: ledger, resolved problems, splits, outcomes and events stay. What can be
computed again may go (caches, checkpoints of runs that have ended, leftovers of a kill), and of a finished study
the bundles that are not its best. Pretraining that was begun and is not done lies in the user's cache rather than in a
workspace; it is shown with the rest and goes when it is asked for by name.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from provetune.core.files import disk_errors, read_json, write_json
from provetune.study.document import DOCUMENT
from provetune.study.trial import BUNDLE, CHECKPOINT, read_result
from provetune.study.workspace import PUT_ASIDE, Workspace

PRETRAINING = "pretraining"
_LEFTOVERS = (".*.part", ".*.retired*")
_COMPRESSED, _COMPRESSING = f"{BUNDLE}-*", ".*.compress"
"""What `provetune compress` made of a run's bundle, and where it is making it."""


@dataclass(frozen=True)
class Item:
    """Something on the disk.

    Attributes:
        path: where it lies.
        kind: ``"cache"``, ``"checkpoint"``, ``"leftover"``, ``"bundle"``, ``"derivative"``,
            ``"compression"``, ``"put_aside"``, ``"evidence"``, ``"ledger"`` or ``"pretraining"``.
        study: the study it belongs to, None for the workspace's own.
        bytes: what it takes.
        removable: whether `clean` frees it.
        why: one sentence for either.
    """

    path: str
    kind: str
    study: str | None
    bytes: int
    removable: bool
    why: str


def survey(workspace: Workspace, *, pretraining: bool = False) -> dict[str, Any]:
    """What takes space: ``workspace``, ``bytes``, ``removable_bytes`` and ``items``, the largest first.

    Args:
        pretraining: whether unfinished pretraining, which lies in the user's cache, is to go as well.
    """
    found = [*_items(workspace), *_unfinished_pretraining(pretraining)]
    items = sorted(found, key=lambda item: (-item.bytes, item.path))
    return {
        "workspace": str(workspace.root),
        "bytes": sum(item.bytes for item in items if item.kind != PRETRAINING),
        "removable_bytes": sum(item.bytes for item in items if item.removable),
        "items": [asdict(item) for item in items],
    }


def clean(workspace: Workspace, *, apply: bool = False, pretraining: bool = False) -> dict[str, Any]:
    """Free what can go; without `apply` only say what that would be.

    Args:
        pretraining: free unfinished pretraining in the user's cache too, but what is being worked on.

    Returns:
        What `survey` found beforehand, with ``applied`` and ``freed_bytes``.

    Raises:
        EnvironmentFault: a run is going on here (says which), or the place cannot be written.
    """
    if not apply:
        return {**survey(workspace, pretraining=pretraining), "applied": False, "freed_bytes": 0}
    with workspace.lock("clean", wait_s=0):
        found = survey(workspace, pretraining=pretraining)
        for item in found["items"]:
            if item["removable"]:
                _remove(Path(item["path"]))
        for study_id in workspace.study_ids():
            _forget_bundles(workspace.study_folder(study_id))
    return {**found, "applied": True, "freed_bytes": found["removable_bytes"]}


def _unfinished_pretraining(removable: bool) -> Iterator[Item]:
    from provetune.models import own

    for name, path in own.unfinished():
        if _is_worked_on(own.lock_file(name)):
            yield Item(str(path), PRETRAINING, None, _size(path), False, f"Backbone '{name}': it is being made now.")
            continue
        why = f"Backbone '{name}', begun and not done: the same `provetune pretrain` goes on from here."
        hint = "" if removable else " --pretraining gives it up."
        yield Item(str(path), PRETRAINING, None, _size(path), removable, why + hint)


def _is_worked_on(lock: Path) -> bool:
    from filelock import FileLock, Timeout

    if not lock.exists():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True


def _items(workspace: Workspace) -> Iterator[Item]:
    if workspace.cache.is_dir():
        why = "Tokenised rows and features; made again when they are needed."
        yield Item(str(workspace.cache), "cache", None, _size(workspace.cache), True, why)
    for path in sorted(path for path in workspace.root.glob("ledger.sqlite*") if path.suffix != ".lock"):
        yield Item(str(path), "ledger", None, _size(path), False, "What was frozen and what was looked at.")
    for path in _leftovers(workspace.root):
        yield Item(str(path), "leftover", None, _size(path), True, "Half written when a run was killed.")
    for path in sorted((workspace.studies / PUT_ASIDE).glob("*")):
        yield Item(str(path), "put_aside", None, _size(path), True, "An earlier attempt, put aside by --fresh.")
    for study_id in workspace.study_ids():
        yield from _study_items(workspace.study_folder(study_id), study_id)


def _study_items(folder: Path, study_id: str) -> Iterator[Item]:
    best = _best_bundle(folder)
    counted = 0
    for place in sorted(path for path in folder.glob("trials/*") if path.is_dir()):
        for item in _trial_items(place, study_id, best):
            counted += item.bytes
            yield item
    for path in _leftovers(folder):
        counted += _size(path)
        yield Item(str(path), "leftover", study_id, _size(path), True, "Half written when a run was killed.")
    why = "Rows, outcomes, events and results: what the study's answer rests on."
    yield Item(str(folder), "evidence", study_id, max(0, _size(folder) - counted), False, why)


def _trial_items(place: Path, study_id: str, best: Path | None) -> Iterator[Item]:
    checkpoint, bundle = place / CHECKPOINT, place / BUNDLE
    ended = read_result(place) is not None
    if checkpoint.is_dir():
        why = "The run has ended." if ended else "An interrupted run goes on from here."
        yield Item(str(checkpoint), "checkpoint", study_id, _size(checkpoint), ended, why)
    if bundle.is_dir():
        if best is None:
            why = "The study has not ended; its test is judged with this."
        elif bundle == best:
            why = "The study's best bundle."
        else:
            why = "Not the study's best bundle."
        yield Item(str(bundle), "bundle", study_id, _size(bundle), best is not None and bundle != best, why)
    yield from _compressed_items(place, study_id)
    for path in _leftovers(place):
        yield Item(str(path), "leftover", study_id, _size(path), True, "Half written when a run was killed.")


def _compressed_items(place: Path, study_id: str) -> Iterator[Item]:
    for path in sorted(path for path in place.glob(_COMPRESSED) if path.is_dir()):
        why = "Made by `provetune compress`. Whoever asked for it removes its folder."
        yield Item(str(path), "derivative", study_id, _size(path), False, why)
    for path in sorted(place.glob(_COMPRESSING)):
        busy = _is_worked_on(path.with_name(f"{path.name}.lock"))
        why = "A bundle is being compressed." if busy else "An interrupted `provetune compress` goes on from here."
        yield Item(str(path), "compression", study_id, _size(path), not busy, why)


def _best_bundle(folder: Path) -> Path | None:
    """The best bundle of a study that has ended."""
    document = folder / DOCUMENT
    return folder / read_json(document)["best"]["bundle"] if document.exists() else None


def _forget_bundles(folder: Path) -> None:
    """Take bundles that are gone off the study's document."""
    path = folder / DOCUMENT
    if not path.exists():
        return
    document = read_json(path)
    before = folder.stat()
    for entry in document["candidates"].values():
        entry["bundles"] = [bundle for bundle in entry["bundles"] if (folder / bundle).exists()]
    write_json(path, document)
    # A problem file stands for its study that was changed last, and cleaning up is no such change.
    os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))


def _leftovers(folder: Path) -> list[Path]:
    return sorted(path for pattern in _LEFTOVERS for path in folder.glob(pattern))


def _size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; links are not followed."""
    if path.is_file():
        return path.stat().st_size
    return sum(each.stat().st_size for each in path.rglob("*") if each.is_file() and not each.is_symlink())


def _remove(path: Path) -> None:
    with disk_errors(path):
        if path.is_dir():
            # Renamed first, so that an interruption leaves a leftover and never half a bundle.
            doomed = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.retired")
            path.rename(doomed)
            shutil.rmtree(doomed)
        else:
            path.unlink(missing_ok=True)
