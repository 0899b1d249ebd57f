"""A worker process from the outside: start it, hand it jobs, listen to it, end it."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, TypeAlias

from provetune.study.engines import Job
from provetune.study.worker import environment

_GRACE_SECONDS = 3.0


Messages: TypeAlias = "queue.Queue[tuple[WorkerProcess, dict[str, Any] | None]]"
"""What workers said, with who said it; None when one is gone."""


def start_process(threads: int, log: Path) -> subprocess.Popen[bytes]:
    """A process that does jobs, its errors appended to `log`."""
    with log.open("ab") as errors:
        return subprocess.Popen(
            [sys.executable, "-m", "provetune.study.worker", "--threads", str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **environment(threads)},
        )


class WorkerProcess:
    """One process, its two pipes and the thread that listens to it."""

    def __init__(
        self, threads: int, log: Path, messages: queue.Queue[tuple[WorkerProcess, dict[str, Any] | None]]
    ) -> None:
        self.job: Job | None = None
        self.ready = False
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        self.process = start_process(threads, log)
        self._messages = messages
        self._listening = threading.Thread(target=self._listen, daemon=True)
        self._listening.start()

    def send(self, message: Mapping[str, Any]) -> None:
        """Hand over a job. A worker that is already gone is noticed by its closed output."""
        try:
            self._input.write(json.dumps(message, ensure_ascii=False).encode() + b"\n")
            self._input.flush()
        except (BrokenPipeError, ValueError):
            return

    def dismiss(self) -> None:
        """Close its input, which ends it."""
        with suppress(BrokenPipeError):
            self._input.close()

    def end(self) -> None:
        """See that it is gone: dismiss it, and kill it when that does not help."""
        self.dismiss()
        try:
            self.process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._listening.join(_GRACE_SECONDS)
        if self.process.stdout is not None and not self._listening.is_alive():
            self.process.stdout.close()

    def exit_code(self) -> int | None:
        return self.process.poll()

    def last_words(self) -> str:
        """The last line it wrote to its error stream."""
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        except OSError:
            return ""
        return lines[-1] if lines else ""

    def _listen(self) -> None:
        output = self.process.stdout
        if output is None:
            return
        for line in output:
            if line.endswith(b"\n"):  # a killed worker may leave half a line
                self._messages.put((self, json.loads(line)))
        self._messages.put((self, None))

    @property
    def _input(self) -> IO[bytes]:
        if self.process.stdin is None:
            raise ValueError("the worker has no input")
        return self.process.stdin
