"""The workers of one bundle: how they start, give way to others, die, stick, and are replaced."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from provetune.core.errors import ProvetuneError
from provetune.serving.batcher import Entry
from provetune.serving.describing import Description
from provetune.serving.settings import Settings
from provetune.serving.worker_process import WorkerProcess

_LOG = logging.getLogger("provetune.serving")
_PAUSES_S = (0.0, 0.2, 1.0, 2.0, 5.0)
_PING_AFTER_S = 1.0
Start = Callable[[Description, Settings, Any, Any], WorkerProcess]


@dataclass(eq=False)
class Slot:
    """A place for a worker, and what it computes.

    Attributes:
        batch: the items it is asked about; empty where it is idle.
        number: of the batch.
        began: when it was asked, by the steady clock.
        retiring: another bundle has taken its place; it ends when its batch is done.
    """

    worker: WorkerProcess = field(init=False)
    number: int = 0
    batch: Sequence[Entry] = ()
    began: float = 0.0
    retiring: bool = False


class Employer(Protocol):
    """What a crew works for."""

    def on_frame(self, slot: Slot, head: dict[str, Any], rows: list[bytes]) -> None:
        """A worker has said something."""

    def on_lost(self, batch: Sequence[Entry]) -> None:
        """A worker has died with these items in hand."""

    def on_restart(self) -> None:
        """A worker that should live has died, and another is started."""

    def on_idle(self) -> None:
        """A worker has nothing to do."""


def start_worker(description: Description, settings: Settings, on_frame: Any, on_death: Any) -> WorkerProcess:
    """A worker for a bundle, not started yet."""
    asked = {
        "path": str(description.path),
        "threads": settings.threads,
        "precision": settings.precision,
        "device": settings.device,
        "backend": settings.backend,
        "graphs": None if settings.graphs is None else str(settings.graphs),
        "example": None if description.writes else description.example,
    }
    return WorkerProcess(asked, on_frame, on_death)


class Crew:
    """Keeps as many workers at work as the settings say.

    Args:
        employer: is told what they say, and when one is lost.
        make: makes a worker; tests put something quicker here.
    """

    def __init__(self, employer: Employer, settings: Settings, make: Start = start_worker) -> None:
        self._employer, self._settings, self._make = employer, settings, make
        self._slots: list[Slot] = []
        self._retired: set[Slot] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._deaths = 0

    def __iter__(self) -> Iterator[Slot]:
        """Those that take new batches."""
        return iter(self._slots)

    def everyone(self) -> list[Slot]:
        """Those that are about to end among them."""
        return [*self._slots, *self._retired]

    async def start(self, description: Description) -> None:
        """Start the workers and wait until all are ready.

        Raises:
            ProvetuneError: the bundle cannot be loaded, or its golden examples are answered differently.
        """
        self._description = description
        self._slots = await self._start_slots(description)
        self._spawn(self._watch())
        self._employer.on_idle()

    async def replace(self, description: Description, then: Callable[[], None]) -> None:
        """Put workers for another bundle in place of these, which finish what they have begun.

        Args:
            then: called in the turn of the loop in which the new ones take over.

        Raises:
            ProvetuneError: it cannot be loaded; these stay.
        """
        fresh = await self._start_slots(description)
        self._description = description
        then()
        old, self._slots = self._slots, fresh
        for slot in old:
            slot.retiring = True
            if slot.batch:
                self._retired.add(slot)
            else:
                self._spawn(slot.worker.stop())
        self._employer.on_idle()

    async def close(self) -> None:
        """End them all."""
        self._closing = True
        slots = self.everyone()
        self._slots = []
        await asyncio.gather(*(slot.worker.stop() for slot in slots))
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def free(self, slot: Slot) -> None:
        """A worker is done with its batch."""
        slot.batch = ()
        if slot.retiring:
            self._retired.discard(slot)
            self._spawn(slot.worker.stop())
        else:
            self._employer.on_idle()

    def state(self) -> str:
        """``"ready"``, or in a word why not."""
        alive = [slot for slot in self._slots if slot.worker.alive]
        if not alive:
            return "starting" if not self._deaths else "restarting"
        return "stuck" if all(self._stuck(slot, self._settings.stall_s) for slot in alive) else "ready"

    @property
    def busy(self) -> bool:
        """Whether any has a batch in hand."""
        return any(slot.batch for slot in self.everyone())

    @property
    def engine(self) -> str:
        return next((slot.worker.engine for slot in self._slots if slot.worker.alive), "")

    @property
    def pids(self) -> list[int]:
        """Process numbers of the workers."""
        return [slot.worker.pid for slot in self._slots if slot.worker.alive]

    async def _start_slots(self, description: Description) -> list[Slot]:
        made = [self._new_slot(description) for _ in range(self._settings.workers)]
        starts = [slot.worker.start(self._settings.start_s) for slot in made]
        found = await asyncio.gather(*starts, return_exceptions=True)
        errors = [each for each in found if isinstance(each, BaseException)]
        if errors:
            for slot in made:
                slot.worker.kill()
                await slot.worker.reap()
            raise errors[0]
        return made

    def _new_slot(self, description: Description) -> Slot:
        slot = Slot()
        slot.worker = self._make(
            description,
            self._settings,
            lambda head, rows: self._employer.on_frame(slot, head, rows),
            lambda _: self._on_death(slot),
        )
        return slot

    def _on_death(self, slot: Slot) -> None:
        """In-flight requests fail; what waits goes on waiting for the worker that is started now."""
        batch, slot.batch = slot.batch, ()
        self._employer.on_lost(batch)
        self._retired.discard(slot)
        self._spawn(slot.worker.reap())
        if slot in self._slots and not self._closing:
            self._deaths += 1
            self._employer.on_restart()
            _LOG.warning("The worker of '%s' (process %d) died.", self._description.name, slot.worker.pid)
            self._spawn(self._replace(slot))

    async def _replace(self, dead: Slot) -> None:
        """A new worker in a dead one's place; tried again and again, slower each time."""
        for attempt in range(1_000_000):
            await asyncio.sleep(_PAUSES_S[min(attempt, len(_PAUSES_S) - 1)])
            if self._closing or dead not in self._slots:
                return
            fresh = self._new_slot(self._description)
            try:
                await fresh.worker.start(self._settings.start_s)
            except ProvetuneError as error:
                _LOG.error("The worker of '%s' does not start: %s", self._description.name, error)
                await fresh.worker.reap()
                continue
            if dead not in self._slots:
                await fresh.worker.stop()
                return
            self._slots[self._slots.index(dead)] = fresh
            self._employer.on_idle()
            return

    async def _watch(self) -> None:
        """Ask idle workers for a sign of life, and end those that give none."""
        while not self._closing:
            await asyncio.sleep(_PING_AFTER_S / 2)
            for slot in self.everyone():
                worker = slot.worker
                if not worker.alive:
                    continue
                if worker.asked is None and not slot.batch and time.monotonic() - worker.heard > _PING_AFTER_S:
                    worker.send({"op": "ping"})
                if self._stuck(slot, self._settings.hang_s):
                    _LOG.error("The worker of '%s' (process %d) is stuck.", self._description.name, worker.pid)
                    worker.kill()

    def _stuck(self, slot: Slot, limit_s: float) -> bool:
        """Whether a worker has been silent too long. One that writes a whole answer may take as long as a caller."""
        if self._description.writes and slot.batch:
            limit_s = max(limit_s, self._settings.deadline_s)
        return slot.worker.silent_s() > limit_s

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
