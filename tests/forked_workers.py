"""Workers of studies that are forked off a process which has the libraries loaded already.

Loading torch and transformers takes several seconds of a processor, and tests start hundreds of workers. All else is as
in a worker of its own: its environment, its pipes, its log, its end. Tests and modules marked ``real_workers`` start
real ones: those that kill workers, look for them among the processes, or give them other code by ``PYTHONPATH``.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, Any

LOADED = (
    "torch",
    "transformers.modeling_utils",
    "transformers.models.auto.modeling_auto",
    "transformers.models.bert.modeling_bert",
    "transformers.models.llama.modeling_llama",
    "transformers.generation.utils",
    "accelerate",
    "peft",
    "pyarrow.parquet",
    "scipy.optimize",
    "scipy.stats",
    "sklearn.linear_model",
    "sklearn.feature_extraction.text",
    "provetune.study.learned_examples",
    "provetune.study.plan_rehearsal",
    "provetune.study.sealed_test",
    "provetune.study.trained",
    "provetune.study.trial",
    "provetune.study.worker",
    "provetune.training.loop",
)


def can_fork() -> bool:
    """Whether processes can be forked safely here; elsewhere workers are real ones."""
    return sys.platform == "linux"


class ForkedWorker:
    """A forked worker with the part of `subprocess.Popen` that `provetune.study.engines` uses."""

    def __init__(self, threads: int, log: Path, environment: dict[str, str]) -> None:
        given, own_input = multiprocessing.Pipe(duplex=False)
        own_output, taken = multiprocessing.Pipe(duplex=False)
        work = (given, taken, str(log), environment, str(Path.cwd()), threads)
        with _environment(environment):  # the forking process is started with the first worker
            self._process = _forking().Process(target=_serve, args=work, daemon=True)
            self._process.start()
        given.close()
        taken.close()
        self.stdin: IO[bytes] = os.fdopen(os.dup(own_input.fileno()), "wb")
        self.stdout: IO[bytes] = os.fdopen(os.dup(own_output.fileno()), "rb")
        own_input.close()
        own_output.close()

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired("worker", timeout or 0.0)
        return code

    def kill(self) -> None:
        self._process.kill()


def _forking() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(LOADED))
    return context


def _serve(
    given: Connection, taken: Connection, log: str, environment: dict[str, str], folder: str, threads: int
) -> None:
    """In the forked process: what a worker's own process finds when it begins."""
    gc.freeze()  # the collection before each training would look through all libraries for a third of its time
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    errors = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for source, descriptor in ((given.fileno(), 0), (taken.fileno(), 1), (errors, 2)):
        os.dup2(source, descriptor)
    given.close()
    taken.close()
    os.close(errors)
    from provetune.study.worker import main

    main(["--threads", str(threads)])


@contextmanager
def _environment(wanted: dict[str, str]) -> Iterator[None]:
    kept = dict(os.environ)
    os.environ.update(wanted)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)
