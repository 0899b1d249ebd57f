"""The access log: one JSON line a request, written by a thread of its own.

A line holds the request's id, the key's id (never the key), the route as it is declared (never the path as it was
asked, whose parts may be anything), status and milliseconds. Texts are in it only when that was asked for, and then
masked. A request never waits for its line: with the disk full, or whoever reads the log standing still, lines are
lost and counted, and requests are answered.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TextIO

from provetune.core.errors import ProvetuneError, UsageError
from provetune.core.files import disk_errors

LogTexts = Literal["off", "masked"]
_WAITING = 10_000
_AT_ONCE = 500
_LAST_S = 2.0


@dataclass(frozen=True)
class Line:
    """What is told of one request; `body` is read only where texts are logged."""

    moment: float
    request_id: str
    key_id: str | None
    method: str
    route: str
    status: int
    milliseconds: float
    error: str | None = None
    body: bytes | None = None


class AccessLog:
    """Where lines go.

    Args:
        place: a file to append to; None writes to the standard error stream, and `quiet` nowhere.
        texts: ``"masked"`` adds the texts that were sent, without personal data.

    Raises:
        UsageError: the place is a folder, or `texts` is neither off nor masked.
        EnvironmentFault: the file cannot be written.
    """

    def __init__(self, place: Path | None = None, *, texts: LogTexts = "off", quiet: bool = False) -> None:
        if texts not in ("off", "masked"):
            raise UsageError(f"Texts are logged masked or not at all. Got '{texts}' instead.")
        self.texts: LogTexts = texts
        self.lost = 0
        """Lines that could not be written."""
        self._quiet = quiet
        self._place = place
        self._stream: TextIO = sys.stderr if place is None else _opened(place)
        self._waiting: queue.Queue[Line | Callable[[], None] | None] = queue.Queue(_WAITING)
        self._thread: threading.Thread | None = None
        self._told = False
        self._lock = threading.Lock()

    def write(self, line: Line) -> None:
        """Have a line written; where too many wait already it is lost."""
        if self._quiet:
            return
        if self._thread is None:
            self._begin()
        try:
            self._waiting.put_nowait(line)
        except queue.Full:
            self.lost += 1

    def flush(self, seconds: float = 5.0) -> bool:
        """Wait until what was handed over so far is written or lost; False where that takes longer."""
        if self._thread is None:
            return True
        done = threading.Event()
        try:
            self._waiting.put(done.set, timeout=seconds)
        except queue.Full:
            return False
        return done.wait(seconds)

    def close(self) -> None:
        """Write what waits and stop. Where whoever reads the log stands still, it is left as it is: nobody waits."""
        still = False
        if self._thread is not None:
            written = self.flush(_LAST_S)
            with suppress(queue.Full):
                self._waiting.put_nowait(None)
            self._thread.join(timeout=_LAST_S if written else 0)
            still = self._thread.is_alive()
            self._thread = None
        # A stream that is being written to can be closed by nobody else.
        if self._place is not None and not still:
            try:
                self._stream.close()
            except OSError:
                self.lost += 1

    def _begin(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="access log", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            taken = [self._waiting.get()]
            while len(taken) < _AT_ONCE and not self._waiting.empty():
                taken.append(self._waiting.get())
            lines = [one for one in taken if isinstance(one, Line)]
            self._put("".join(map(self._shown, lines)), len(lines))
            for one in taken:
                if callable(one):
                    one()
            if None in taken:
                return

    def _put(self, text: str, lines: int) -> None:
        if not lines:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
            self._told = False
        except (OSError, ValueError) as error:
            # What a stream holds back it would try again with every later line, and fail for ever.
            self.lost += lines
            self._reopen()
            if not self._told:
                self._told = True
                _say(f"The access log cannot be written ({error}); requests are answered without.")

    def _reopen(self) -> None:
        if self._place is None:
            return
        with suppress(OSError, ValueError):
            self._stream.close()
        with suppress(OSError, ProvetuneError):
            self._stream = _opened(self._place)

    def _shown(self, line: Line) -> str:
        document: dict[str, Any] = {
            "at": datetime.fromtimestamp(line.moment, UTC).isoformat(timespec="milliseconds"),
            "request": line.request_id,
            "key": line.key_id,
            "method": line.method,
            "route": line.route,
            "status": line.status,
            "ms": round(line.milliseconds, 2),
        }
        if line.error is not None:
            document["error"] = line.error
        if self.texts == "masked" and line.body:
            from provetune.serving.privacy import masked_texts

            document["texts"] = masked_texts(line.body)
        # ASCII alone: half a character, or one that turns a line round in a terminal, is written as its number.
        return json.dumps(document) + "\n"


def _opened(place: Path) -> TextIO:
    if place.is_dir():
        raise UsageError("The access log must be a file. This is a folder.", where=str(place))
    with disk_errors(place):
        place.parent.mkdir(parents=True, exist_ok=True)
        return place.open("a", encoding="utf-8")


def _say(text: str) -> None:
    with suppress(OSError, ValueError):
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
