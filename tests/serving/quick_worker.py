"""A worker within the test's own process: it starts in no time, and answers or keeps silent as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from provetune.core.errors import CorruptError
from provetune.serving.describing import Description, describe
from provetune.serving.lane import Lane
from provetune.serving.measures import Measures
from provetune.serving.settings import Settings


class QuickWorker:
    """As much of a `WorkerProcess` as a crew uses.

    Attributes:
        answers: whether it answers at all.
        broken: whether it cannot be started.
        started: folders that a worker was started for, over all workers of a maker.
    """

    def __init__(self, maker: QuickWorkers, description: Description, on_frame: Any, on_death: Any) -> None:
        self._maker, self._path = maker, str(description.path)
        self._on_frame, self._on_death = on_frame, on_death
        self.alive, self.asked, self.heard, self.engine, self.pid = False, None, 0.0, "quick", 1
        self.stopped = False

    async def start(self, timeout_s: float) -> None:
        self._maker.started.append(self._path)
        if self._path in self._maker.broken:
            raise CorruptError("A file is not what was written.", where=f"{self._path}/secret")
        self.alive = True

    def send(self, head: dict[str, Any], rows: list[bytes] | tuple[()] = ()) -> None:
        if head["op"] == "predict" and self._maker.answering:
            answers = [json.dumps({"label": json.loads(row), "score": 1.0}).encode() for row in rows]
            loop = asyncio.get_running_loop()
            loop.call_soon(self._on_frame, {"op": "answers", "id": head["id"]}, answers)

    def silent_s(self) -> float:
        return 0.0

    def kill(self) -> None:
        self.alive = False

    async def stop(self, timeout_s: float = 3.0) -> None:
        self.alive, self.stopped = False, True

    async def reap(self) -> None:
        return None


class QuickWorkers:
    """Makes workers, and tells them how to be."""

    def __init__(self, *, answering: bool = True) -> None:
        self.answering = answering
        self.broken: set[str] = set()
        self.started: list[str] = []
        self.made: list[QuickWorker] = []

    def __call__(self, description: Description, settings: Settings, on_frame: Any, on_death: Any) -> Any:
        self.made.append(QuickWorker(self, description, on_frame, on_death))
        return self.made[-1]


async def quick_lane(bundle: Path, make: Callable[..., Any], **settings: Any) -> Lane:
    """A lane whose workers are quick, started."""
    found = Settings(**settings)
    lane = Lane(describe(bundle, "quick"), found, Measures().lane("quick"), make)
    await lane.start()
    return lane
