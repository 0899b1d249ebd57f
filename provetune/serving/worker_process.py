"""A worker as the server holds it: started, asked, watched, ended."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from provetune.core.errors import CorruptError, EnvironmentFault, ProvetuneError, Refused, UsageError
from provetune.serving.frames import BrokenFrame, Cutter, decode, encode

Told = Callable[[dict[str, Any], list[bytes]], None]
_ERRORS = {kind.__name__: kind for kind in (CorruptError, EnvironmentFault, Refused, UsageError)}
COMMAND = (sys.executable, "-m", "provetune.serving.worker")


class WorkerProcess(asyncio.Protocol):
    """One process and the socket to it.

    Args:
        settings: of the first frame, see `provetune.serving.worker.load_bundle`.
        on_frame: given what the worker says once it is ready, other than pongs.
        on_death: called once when the worker is gone, however that came.

    Attributes:
        heard: when it last gave a sign of life, by the monotonic clock.
        asked: since when it owes one; None where it owes nothing.
    """

    def __init__(
        self,
        settings: dict[str, Any],
        on_frame: Told,
        on_death: Callable[[WorkerProcess], None],
        command: Sequence[str] = COMMAND,
    ) -> None:
        self._settings, self._on_frame, self._on_death = settings, on_frame, on_death
        self._command = command
        self._cutter = Cutter()
        self._transport: asyncio.Transport | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._ready: asyncio.Future[dict[str, Any]] | None = None
        self.alive = False
        self.heard = 0.0
        self.asked: float | None = None
        self.engine = ""

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    async def start(self, timeout_s: float) -> None:
        """Start the process and wait until the bundle is loaded and has given its golden answers.

        Raises:
            ProvetuneError: as `provetune.inference.predictor.load` raised it there.
            EnvironmentFault: it died, or took too long.
        """
        self._ready = asyncio.get_running_loop().create_future()
        # It may be that nobody asks any more what became of it.
        self._ready.add_done_callback(lambda ready: ready.cancelled() or ready.exception())
        try:
            await self._connect()
            self.send({"op": "load", **self._settings})
            told = await asyncio.wait_for(asyncio.shield(self._ready), timeout_s)
        except OSError as error:
            # No process, or no descriptor left for it.
            raise EnvironmentFault(f"No worker can be started ({error.strerror or error}).") from error
        except TimeoutError as error:
            raise EnvironmentFault(
                f"The bundle was not loaded within {timeout_s:g} s.", where=str(self._settings.get("path"))
            ) from error
        finally:
            if not self.alive:
                self.kill()
        self.engine = str(told.get("engine", ""))

    async def _connect(self) -> None:
        """Start the process and take our end of the socket to it."""
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        try:
            ours.setblocking(False)
            self._process = subprocess.Popen(
                self._command, stdin=theirs.fileno(), stdout=theirs.fileno(), env=_environment(self._settings)
            )
            if ours.family == getattr(socket, "AF_UNIX", None):
                await loop.create_unix_connection(lambda: self, sock=ours)
            else:
                await loop.create_connection(lambda: self, sock=ours)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()

    def send(self, head: dict[str, Any], rows: Sequence[bytes] = ()) -> None:
        """Say something; it is lost where the worker is gone."""
        if self._transport is not None and not self._transport.is_closing():
            if self.asked is None:
                self.asked = time.monotonic()
            self._transport.write(encode(head, rows))

    def silent_s(self) -> float:
        """Seconds for which it has owed a sign of life."""
        return 0.0 if self.asked is None else time.monotonic() - max(self.asked, self.heard)

    def kill(self) -> None:
        """End the process at once."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
        if self._transport is not None:
            self._transport.abort()

    async def stop(self, timeout_s: float = 3.0) -> None:
        """Let the process end by itself, and end it where it does not."""
        self.send({"op": "stop"})
        deadline = time.monotonic() + timeout_s
        while self._process is not None and self._process.poll() is None and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        self.kill()
        await self.reap()

    async def reap(self) -> None:
        """Wait for the end of a process that was told to end."""
        if self._process is not None:
            await asyncio.to_thread(self._process.wait)

    # -- asyncio.Protocol --------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._cutter.feed(data):
                self._hear(*decode(body))
        except BrokenFrame:
            self.kill()

    def connection_lost(self, error: Exception | None) -> None:
        was, self.alive = self.alive, False
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(
                EnvironmentFault("The worker ended before it was ready.", where=str(self._settings.get("path")))
            )
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
        if was:
            self._on_death(self)

    def _hear(self, head: dict[str, Any], rows: list[bytes]) -> None:
        self.heard = time.monotonic()
        op = head.get("op")
        if op != "piece":
            self.asked = None
        if op == "ready" and self._ready is not None and not self._ready.done():
            self.alive = True
            self._ready.set_result(head)
        elif op == "failed" and self._ready is not None and not self._ready.done():
            kind = _ERRORS.get(str(head.get("kind")), UsageError)
            error: ProvetuneError = kind(str(head.get("message")), where=head.get("where"), hint=head.get("hint"))
            self._ready.set_exception(error)
        elif op != "pong":
            self._on_frame(head, rows)


def _environment(settings: dict[str, Any]) -> dict[str, str]:
    """The server's environment, with as many threads as were asked for and threads that sleep while they wait."""
    found = {**os.environ, "OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "PASSIVE")}
    if settings.get("threads"):
        found["OMP_NUM_THREADS"] = str(settings["threads"])
    found["TOKENIZERS_PARALLELISM"] = "false"
    return found
