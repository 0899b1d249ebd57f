"""One bundle behind the service: its queue, and who gets which answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from provetune.serving.batcher import Batcher, BatchLimits, Entry
from provetune.serving.crew import Crew, Slot, Start, start_worker
from provetune.serving.describing import Description
from provetune.serving.faults import Fault, draining, late, worker_died
from provetune.serving.measures import LaneMeasures
from provetune.serving.settings import Settings
from provetune.serving.tickets import ClientGone, StreamTicket, Ticket
from provetune.serving.tokens import TokenCounter

_SLOWLY = 0.2


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
        self._crew = Crew(self, settings, make)
        self._batcher = Batcher(
            BatchLimits(settings.max_batch_tokens, settings.max_batch_rows, settings.max_wait_ms / 1000, settings.queue)
        )
        self._timer: asyncio.TimerHandle | None = None
        self._pump_soon = self._closing = False
        self._numbers = 0
        self._row_s = 0.01
        self._token_s = 0.0
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
            for slot in self._crew.everyone():
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
        for slot in self._crew:
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

    def on_frame(self, slot: Slot, head: dict[str, Any], rows: list[bytes]) -> None:
        """A worker has answered, or told a piece of an answer."""
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
                self._crew.free(slot)
            case "answers":
                self._tell(slot, head.get("faults") or {}, rows)
                self._crew.free(slot)

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

    def on_lost(self, batch: Sequence[Entry]) -> None:
        """Requests in flight fail; what waits goes on waiting for the worker that is started now."""
        for entry in batch:
            entry.ticket.fail(worker_died())

    def on_restart(self) -> None:
        """A worker is started in a dead one's place."""
        self.measures.restarted()

    def on_idle(self) -> None:
        """A worker has nothing to do."""
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
        await self._crew.start(self.description)

    async def reload(self, description: Description) -> None:
        """Take another bundle, or this one as it lies there now. The old one answers until the new one is ready, and
        finishes what it has begun.

        Raises:
            ProvetuneError: it cannot be loaded; the old one stays.
        """

        def take_over() -> None:
            self.description = description
            self.count_tokens = TokenCounter(description, self.settings.max_batch_tokens)

        await self._crew.replace(description, take_over)

    async def retire(self) -> None:
        """Answer what waits, then end: nothing new comes."""
        end = time.monotonic() + self.settings.drain_s
        while (self._batcher.rows or self._crew.busy) and time.monotonic() < end:
            await asyncio.sleep(0.05)
        await self.close()

    async def close(self) -> None:
        """End the workers. Whoever still waits is told."""
        self._closing = True
        while batch := self._batcher.take():
            for entry in batch:
                entry.ticket.fail(draining())
        await self._crew.close()

    def state(self) -> str:
        """``"ready"``, or in a word why not."""
        return self._crew.state()

    @property
    def engine(self) -> str:
        """What computes, in words."""
        return self._crew.engine

    @property
    def pids(self) -> list[int]:
        """Process numbers of its workers."""
        return self._crew.pids


def _fault_of_item(fault: Sequence[Any], place: int | None) -> Fault:
    """What a worker says is wrong with an item, as the caller is told."""
    status, message = int(fault[0]), str(fault[1])
    where = "" if place is None else f"inputs[{place}]: "
    return Fault(status, "invalid_request" if status < 500 else "broken_model", f"{where}{message}", place)
