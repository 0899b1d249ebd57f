"""Which files any process opens, told by the kernel: libraries in C++ open files behind Python's back."""

from __future__ import annotations

import ctypes
import os
import struct
from contextlib import suppress
from pathlib import Path

_OPENED, _READ = 0x20, 0x01
_HEAD = struct.Struct("iIII")
_BUFFER = 1 << 16


class FileOpens:
    """Watches files in folders for being opened or read, by this process or any other (Linux).

    Raises:
        OSError: the kernel cannot watch.
    """

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._libc.inotify_init1(os.O_NONBLOCK)
        self._folders: dict[int, Path] = {}
        self._seen: list[Path] = []
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")

    def watch(self, folder: Path) -> None:
        """Watch the files directly in a folder from now on."""
        number = self._libc.inotify_add_watch(self._descriptor, os.fsencode(folder), _OPENED | _READ)
        if number < 0:
            raise OSError(ctypes.get_errno(), "inotify_add_watch")
        self._folders[number] = folder

    def take(self) -> list[Path]:
        """The files that were opened or read since the last call, in order."""
        with suppress(BlockingIOError):
            while True:
                self._parse(os.read(self._descriptor, _BUFFER))
        seen, self._seen = self._seen, []
        return seen

    def close(self) -> None:
        os.close(self._descriptor)

    def _parse(self, told: bytes) -> None:
        place = 0
        while place < len(told):
            number, _, _, length = _HEAD.unpack_from(told, place)
            name = told[place + _HEAD.size : place + _HEAD.size + length].rstrip(b"\0")
            place += _HEAD.size + length
            if name and number in self._folders:
                self._seen.append(self._folders[number] / os.fsdecode(name))
