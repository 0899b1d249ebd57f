"""Engines: where the jobs of a study are done. One file an engine; each defines ``ENGINE``.

An engine owns processes and nothing else: what a job does, and where its files lie, is in the job itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from provetune.core.registry import Registry

Listener: TypeAlias = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Job:
    """One piece of work that a worker process does on its own.

    Attributes:
        id: unique in its study, e.g. ``"full-0"``.
        kind: what is done: a key of `provetune.study.worker.JOBS`.
        spec: all it needs to know, JSON-ready.
        cost: expected work in any unit; longer jobs are started first.
        after: ids of jobs of the same batch that come first.
        retries: how often it is started again when its worker dies.
    """

    id: str
    kind: str
    spec: Mapping[str, Any]
    cost: float = 0.0
    after: tuple[str, ...] = ()
    retries: int = 1


@dataclass(frozen=True)
class Outcome:
    """How a job ended: with a result, or with an error that says why not.

    Attributes:
        result: what the job returned; None when it failed.
        error: ``type``, ``message``, ``where``, ``hint`` and ``traceback`` of what went wrong.
        deaths: workers that died while doing it.
    """

    id: str
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = field(default=None)
    deaths: int = 0


class Pool(Protocol):
    """Workers that are up and wait for jobs."""

    def run(self, jobs: Sequence[Job], listener: Listener) -> dict[str, Outcome]:
        """Do the jobs, pass their events on, and say how each ended. Returns when all have ended."""


class Engine(Protocol):
    """A way to have jobs done."""

    name: str
    summary: str

    def open(self, workers: int, threads: int, logs: Path) -> AbstractContextManager[Pool]:
        """Workers of so many threads each; they are gone when the block is left, however it is left.

        Args:
            workers: processes at the same time, at least 1.
            threads: computing threads of each, fixed for the study.
            logs: folder for what workers write to their error stream.
        """


ENGINES: Registry[Engine] = Registry("provetune.study.engines", "ENGINE", "engine")
