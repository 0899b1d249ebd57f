"""Files that are whole or absent: written beside, synced, renamed.

A reader never sees half a file, and what was renamed survives a power cut because both the file and its
folder are synced before the call returns.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from provetune.core.errors import EnvironmentFault, ProvetuneError
from provetune.core.exchange import exchange

_CHUNK = 1 << 20
# How libraries written in Rust (safetensors, tokenizers) put an error of the system into words.
_CODE_IN_WORDS = re.compile(r"\(os error (\d+)\)")


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """A temporary path beside `target`; on leaving the block it is synced and renamed over `target`.

    When the block raises, the temporary file or folder is removed and `target` is as it was.

    Raises:
        EnvironmentFault: no space, or the folder cannot be written.
    """
    target = Path(target)
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
        os.close(handle)
    temporary = Path(name)
    temporary.unlink()
    try:
        with disk_errors(target):
            yield temporary
            if temporary.is_dir():
                sync_tree(temporary)
                _replace_folder(temporary, target)
            else:
                sync_file(temporary)
                temporary.replace(target)
            sync_folder(target.parent)
    finally:
        if temporary.is_dir() and not temporary.is_symlink():
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            temporary.unlink(missing_ok=True)


def write_text(target: Path, text: str) -> None:
    """Write `text` as UTF-8 to `target`, atomically."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_bytes(target: Path, content: bytes) -> None:
    """Write `content` to `target`, atomically."""
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)


def write_json(target: Path, document: Any) -> None:
    """Write `document` as indented UTF-8 JSON, atomically. Not-a-number is refused: it is not JSON."""
    write_text(target, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(source: Path) -> Any:
    """The JSON document in `source`."""
    return json.loads(Path(source).read_text(encoding="utf-8"))


def sha256_file(source: Path) -> str:
    """Hex SHA-256 of a file's content, read in pieces."""
    digest = hashlib.sha256()
    with Path(source).open("rb") as stream:
        while piece := stream.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def sync_file(path: Path) -> None:
    """Force a file's content to the disk."""
    mode = "r+b" if os.name == "nt" else "rb"  # Windows syncs only what is open for writing
    with Path(path).open(mode) as stream:
        os.fsync(stream.fileno())


def sync_stream(stream: IO[Any]) -> None:
    """Flush an open file and force it to the disk: what was written is then acknowledged."""
    stream.flush()
    os.fsync(stream.fileno())


def sync_folder(path: Path) -> None:
    """Force a folder's entries to the disk, where the system allows it (Windows does not)."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Force every file and folder below `folder` to the disk."""
    for parent, _, names in os.walk(folder):
        for name in names:
            sync_file(Path(parent) / name)
        sync_folder(Path(parent))


@contextmanager
def disk_errors(target: Path) -> Iterator[None]:
    """Turn a full disk, a read-only place or a missing permission into one clear line."""
    try:
        yield
    except ProvetuneError:
        raise
    except Exception as error:
        code = _system_code(error)
        if code in (errno.ENOSPC, errno.EDQUOT):
            raise EnvironmentFault(
                "No space is left on the disk.", where=str(target), hint="Free some space and run it again."
            ) from error
        if code in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise EnvironmentFault(
                "This place cannot be written.",
                where=str(target),
                hint="Choose another with --workspace or --output.",
            ) from error
        raise


def _system_code(error: Exception) -> int | None:
    """The system's number for what went wrong; None where the error is of another kind."""
    if isinstance(error, OSError):
        return error.errno
    said = _CODE_IN_WORDS.search(str(error))
    return int(said.group(1)) if said else None


def _replace_folder(temporary: Path, target: Path) -> None:
    """Put a folder in a target's place. Where the system can swap the two, the target is there at every moment."""
    if not target.exists():
        temporary.rename(target)
        return
    if exchange(temporary, target):
        return
    retired = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".retired", dir=target.parent))
    kept = retired / target.name
    target.rename(kept)
    try:
        temporary.rename(target)
    except OSError:
        kept.rename(target)
        raise
    finally:
        shutil.rmtree(retired, ignore_errors=True)


def link_or_copy(source: str, target: str) -> None:
    """A second name for the same bytes, or a copy where the disk knows none: for files that are replaced whole and
    never written into."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
