"""One bundle behind the service: its queue, its workers, and what happens when one of them dies or sticks."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from provetune.core.errors import ProvetuneError
from provetune.serving.batcher import Batcher, BatchLimits, Entry
from provetune.serving.describing import Description
from provetune.serving.faults import Fault, draining, late, worker_died
from provetune.serving.measures import LaneMeasures
from provetune.serving.settings import Settings
from provetune.serving.tickets import ClientGone, StreamTicket, Ticket
from provetune.serving.tokens import TokenCounter
from provetune.serving.worker_process import WorkerProcess

_LOG = logging.getLogger("provetune.serving")
_PAUSES_S = (0.0, 0.2, 1.0, 2.0, 5.0)
_LONG_LIFE_S = 60.0
_PING_AFTER_S = 1.0
_SLOWLY = 0.2
Start = Callable[[Description, Settings, Any, Any], WorkerProcess]


@dataclass(eq=False)
class Slot:
    """A place for a worker, and what it computes.

    Attributes:
        batch: the items it is asked about; empty where it is idle.
        retiring: another bundle has taken its place; it ends when its batch is done.
    """

    worker: WorkerProcess = field(init=False)
    number: int = 0
    batch: Sequence[Entry] = ()
    began: float = 0.0
    retiring: bool = False


def start_worker(description: Description, settings: Settings, on_frame: Any, on_death: Any) -> WorkerProcess:
    """A worker for a bundle, not started yet."""
    asked = {
        "path": str(description.path),
        "threads": settings.threads,
        "precision": settings.precision,
        "device": settings.device,
        "example": None if description.writes else description.example,
    }
    return WorkerProcess(asked, on_frame, on_death)


class Lane:
    """Answers for one bundle.

    Args:
        description: the bundle.
        measures: what is counted.
        make: makes a worker; tests put something quicker here.
    """

    def __init__(
        self, description: Description, settings: Settings, measures: LaneMeasures, make: Start = start_worker
    ) -> None:
        self.description, self.settings, self.measures = description, settings, measures
        self.count_tokens = TokenCounter(description, settings.max_batch_tokens)
        self._make = make
        self._batcher = Batcher(
            BatchLimits(settings.max_batch_tokens, settings.max_batch_rows, settings.max_wait_ms / 1000, settings.queue)
        )
        self._slots: list[Slot] = []
        self._retired: set[Slot] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._pump_soon = self._closing = False
        self._numbers = 0
        self._row_s = 0.01
        self._token_s = 0.0
        self._deaths = 0
        measures.watch(lambda: self._batcher.rows)

    # -- asking ------------------------------------------------------------------------------------------------------

    def submit(self, items: Sequence[Any], kind: Any) -> Ticket:
        """Let items wait for their answers; `Ticket.future` has them.

        Args:
            kind: the options of the items, JSON-ready pairs; see `Batcher`.

        Raises:
            Fault: the queue is full, an item is too long, or the server is closing.
        """
        ticket = Ticket(asyncio.get_running_loop())
        self._enter(ticket, items, kind)
        return ticket

    def submit_stream(self, item: Any) -> StreamTicket:
        """Let one item wait for an answer that is told while it is written.

        Raises:
            Fault: as `submit`.
        """
        ticket = StreamTicket(asyncio.get_running_loop())
        self._enter(ticket, [item], "stream", alone=True)
        return ticket

    def _enter(self, ticket: Ticket, items: Sequence[Any], kind: Any, *, alone: bool = False) -> None:
        if self._closing:
            raise draining()
        if len(items) > self.settings.queue:
            raise Fault(
                413, "too_many_items", f"A request may have {self.settings.queue} items. Got {len(items)} instead."
            )
        if not self._batcher.has_room(len(items)):
            self.measures.rejected("queue_full")
            raise Fault(
                429, "queue_full", "The queue is full; try again later.", retry_after_s=self._batcher.rows * self._row_s
            )
        many = len(items) > 1
        entries = [
            Entry(item, self.count_tokens(item, place if many else None), kind, ticket, place, alone=alone)
            for place, item in enumerate(items)
        ]
        ticket.fill(entries)
        self._batcher.put(entries, time.monotonic())
        self._pump_later()

    def give_up(self, ticket: Ticket, error: Exception | None = None) -> None:
        """Nobody waits for this request any more: its items leave the queue, its stream ends.

        Args:
            error: what whoever still asks is told; that the client is gone when left out.
        """
        dropped = self._batcher.drop(ticket.entries)
        if dropped:
            self.measures.cancelled(dropped)
        ticket.fail(error or ClientGone())
        if isinstance(ticket, StreamTicket):
            for slot in [*self._slots, *self._retired]:
                if slot.batch and slot.batch[0].ticket is ticket:
                    slot.worker.send({"op": "cancel", "id": slot.number})

    def expire(self, ticket: Ticket) -> None:
        """The request's time is over."""
        if not ticket.done:
            self.measures.rejected("deadline")
            self.give_up(ticket, late(self.settings.deadline_s))

    # -- batches -----------------------------------------------------------------------------------------------------

    def _pump_later(self) -> None:
        """Look at the queue once this turn of the loop is over: what comes in one turn goes in one batch."""
        if not self._pump_soon:
            self._pump_soon = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        self._pump_soon = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for slot in self._slots:
            if slot.batch or not slot.worker.alive:
                continue
            wait = self._batcher.wait(time.monotonic())
            if wait is None:
                return
            if wait > 0:
                self._timer = asyncio.get_running_loop().call_later(wait, self._pump)
                return
            self._dispatch(slot, self._batcher.take())

    def _dispatch(self, slot: Slot, batch: Sequence[Entry]) -> None:
        from provetune.serving.frames import encode_row

        if not batch:
            return
        self._numbers += 1
        slot.batch, slot.number, slot.began = batch, self._numbers, time.monotonic()
        head: dict[str, Any] = {"op": "stream" if batch[0].alone else "predict", "id": slot.number}
        if not batch[0].alone:
            head["top_k"], head["proba"] = batch[0].kind
        slot.worker.send(head, [encode_row(entry.item) for entry in batch])
        self.measures.batch(len(batch), sum(entry.tokens for entry in batch))

    def _on_frame(self, slot: Slot, head: dict[str, Any], rows: list[bytes]) -> None:
        if head.get("id") != slot.number or not slot.batch:
            return
        ticket = slot.batch[0].ticket
        match head.get("op"):
            case "piece":
                if not ticket.done:
                    ticket.pieces.put_nowait(str(head.get("text", "")))
            case "end":
                fault = head.get("fault")
                if fault:
                    ticket.fail(_fault_of_item(fault, None))
                elif not ticket.done:
                    ticket.answer(0, b"{}")
                    ticket.pieces.put_nowait(None)
                self._free(slot)
            case "answers":
                self._tell(slot, head.get("faults") or {}, rows)
                self._free(slot)

    def _tell(self, slot: Slot, faults: dict[str, Any], rows: list[bytes]) -> None:
        """Give every item's answer to the request that asked it."""
        batch = slot.batch
        if len(rows) != len(batch):
            wrong = Fault(500, "broken_model", "The worker gave another number of answers than it was asked for.")
            for entry in batch:
                entry.ticket.fail(wrong)
            return
        self._learn_speed(slot)
        for number, (entry, row) in enumerate(zip(batch, rows, strict=True)):
            fault = faults.get(str(number)) if faults else None
            if fault is None:
                entry.ticket.answer(entry.place, row)
            elif not entry.ticket.done:
                many = len(entry.ticket.entries) > 1
                self.give_up(entry.ticket, _fault_of_item(fault, entry.place if many else None))

    def _free(self, slot: Slot) -> None:
        slot.batch = ()
        if slot.retiring:
            self._retired.discard(slot)
            self._spawn(slot.worker.stop())
        else:
            self._pump_later()

    def _learn_speed(self, slot: Slot) -> None:
        """How long a row and a token take here, as a mean in which the past fades."""
        seconds = time.monotonic() - slot.began
        tokens = max(1, sum(entry.tokens for entry in slot.batch))
        self._row_s += _SLOWLY * (seconds / len(slot.batch) - self._row_s)
        self._token_s += _SLOWLY * (seconds / tokens - self._token_s)
        self.measures.model_seconds(seconds)
        bearable = int(self.settings.batch_s / self._token_s) if self._token_s > 0 else self._batcher.limits.tokens
        self._batcher.batch_tokens = max(1, min(self._batcher.limits.tokens, bearable))

    # -- workers -----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start the workers and wait until all are ready.

        Raises:
            ProvetuneError: the bundle cannot be loaded, or its golden examples are answered differently.
        """
        self._slots = await self._start_slots(self.description)
        self._spawn(self._watch())
        self._pump_later()

    async def reload(self, description: Description) -> None:
        """Take another bundle, or this one as it lies there now. The old one answers until the new one is ready, and
        finishes what it has begun.

        Raises:
            ProvetuneError: it cannot be loaded; the old one stays.
        """
        fresh = await self._start_slots(description)
        self.description = description
        self.count_tokens = TokenCounter(description, self.settings.max_batch_tokens)
        old, self._slots = self._slots, fresh
        for slot in old:
            slot.retiring = True
            if slot.batch:
                self._retired.add(slot)
            else:
                self._spawn(slot.worker.stop())
        self._pump_later()

    async def close(self) -> None:
        """End the workers. Whoever still waits is told."""
        self._closing = True
        while batch := self._batcher.take():
            for entry in batch:
                entry.ticket.fail(draining())
        slots = [*self._slots, *self._retired]
        self._slots = []
        await asyncio.gather(*(slot.worker.stop() for slot in slots))
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def state(self) -> str:
        """``"ready"``, or in a word why not."""
        alive = [slot for slot in self._slots if slot.worker.alive]
        if not alive:
            return "starting" if not self._deaths else "restarting"
        return "stuck" if all(self._stuck(slot, self.settings.stall_s) for slot in alive) else "ready"

    @property
    def engine(self) -> str:
        return next((slot.worker.engine for slot in self._slots if slot.worker.alive), "")

    @property
    def pids(self) -> list[int]:
        """Process numbers of its workers."""
        return [slot.worker.pid for slot in self._slots if slot.worker.alive]

    async def _start_slots(self, description: Description) -> list[Slot]:
        made = [self._new_slot(description) for _ in range(self.settings.workers)]
        starts = [slot.worker.start(self.settings.start_s) for slot in made]
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
            self.settings,
            lambda head, rows: self._on_frame(slot, head, rows),
            lambda _: self._on_death(slot),
        )
        return slot

    def _on_death(self, slot: Slot) -> None:
        """In-flight requests fail; what waits goes on waiting for the worker that is started now."""
        batch, slot.batch = slot.batch, ()
        for entry in batch:
            entry.ticket.fail(worker_died())
        self._retired.discard(slot)
        self._spawn(slot.worker.reap())
        if slot in self._slots and not self._closing:
            self._deaths += 1
            self.measures.restarted()
            _LOG.warning("The worker of '%s' (process %d) died.", self.description.name, slot.worker.pid)
            self._spawn(self._replace(slot))

    async def _replace(self, dead: Slot) -> None:
        """A new worker in a dead one's place; tried again and again, slower each time."""
        for attempt in range(1_000_000):
            await asyncio.sleep(_PAUSES_S[min(attempt, len(_PAUSES_S) - 1)])
            if self._closing or dead not in self._slots:
                return
            fresh = self._new_slot(self.description)
            try:
                await fresh.worker.start(self.settings.start_s)
            except ProvetuneError as error:
                _LOG.error("The worker of '%s' does not start: %s", self.description.name, error)
                await fresh.worker.reap()
                continue
            if dead not in self._slots:
                await fresh.worker.stop()
                return
            self._slots[self._slots.index(dead)] = fresh
            self._pump_later()
            return

    async def _watch(self) -> None:
        """Ask idle workers for a sign of life, and end those that give none."""
        while not self._closing:
            await asyncio.sleep(_PING_AFTER_S / 2)
            for slot in [*self._slots, *self._retired]:
                worker = slot.worker
                if not worker.alive:
                    continue
                if worker.asked is None and not slot.batch and time.monotonic() - worker.heard > _PING_AFTER_S:
                    worker.send({"op": "ping"})
                if self._stuck(slot, self.settings.hang_s):
                    _LOG.error("The worker of '%s' (process %d) is stuck.", self.description.name, worker.pid)
                    worker.kill()

    def _stuck(self, slot: Slot, limit_s: float) -> bool:
        """Whether a worker has been silent too long. One that writes a whole answer may take as long as a caller."""
        if self.description.writes and slot.batch:
            limit_s = max(limit_s, self.settings.deadline_s)
        return slot.worker.silent_s() > limit_s

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _fault_of_item(fault: Sequence[Any], place: int | None) -> Fault:
    """What a worker says is wrong with an item, as the caller is told."""
    status, message = int(fault[0]), str(fault[1])
    where = "" if place is None else f"inputs[{place}]: "
    return Fault(status, "invalid_request" if status < 500 else "broken_model", f"{where}{message}", place)
