"""One at a time: an advisory lock on a file, which says who holds it.

The lock belongs to an open file and goes when its process ends, however it ends, so nothing has to be
cleaned up after a crash.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from provetune.core.errors import EnvironmentFault
from provetune.core.files import disk_errors

_POLL_S = 0.1


@dataclass(frozen=True)
class Holder:
    """Who holds a lock: process, machine, since when, and doing what."""

    pid: int
    host: str
    since: str
    what: str

    def __str__(self) -> str:
        return f"'{self.what}', process {self.pid} on {self.host}, since {self.since}"


@contextmanager
def exclusive(
    path: Path,
    *,
    what: str,
    wait_s: float | None = None,
    on_wait: Callable[[Holder | None], None] | None = None,
) -> Iterator[None]:
    """Hold the lock file `path` inside the block.

    Args:
        what: what the holder is doing, told to whoever has to wait.
        wait_s: longest wait in seconds; 0 gives up at once, None waits for ever.
        on_wait: called once, with the holder, when the lock is taken and waiting begins.

    Raises:
        EnvironmentFault: somebody else holds it for longer than `wait_s`, or the file cannot be written.
    """
    path = Path(path)
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _acquire(descriptor, path, wait_s, on_wait)
        try:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            _write_holder(descriptor, Holder(os.getpid(), socket.gethostname(), now, what))
            yield
        finally:
            os.ftruncate(descriptor, 0)
            _unlock(descriptor)
    finally:
        os.close(descriptor)


def holder_of(path: Path) -> Holder | None:
    """Who wrote themselves into the lock file; None when nobody did or the note cannot be read."""
    try:
        return Holder(**json.loads(Path(path).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _acquire(
    descriptor: int, path: Path, wait_s: float | None, on_wait: Callable[[Holder | None], None] | None
) -> None:
    deadline = None if wait_s is None else time.monotonic() + wait_s
    told = False
    while not _try_lock(descriptor):
        holder = holder_of(path)
        if deadline is not None and time.monotonic() >= deadline:
            raise EnvironmentFault(
                f"It is in use by {holder or 'another process'}.",
                where=str(path.parent),
                hint="Wait until that ends, or choose another place with --workspace.",
            )
        if on_wait is not None and not told:
            on_wait(holder)
        told = True
        time.sleep(_POLL_S)


def _write_holder(descriptor: int, holder: Holder) -> None:
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, json.dumps(asdict(holder)).encode())


if sys.platform == "win32":  # pragma: no cover
    import msvcrt

    # A locked byte cannot be read by others on Windows, so the byte lies far behind the holder's note.
    _FAR = 1 << 30

    def _try_lock(descriptor: int) -> bool:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
