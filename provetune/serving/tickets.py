"""A request while it waits for its answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from provetune.serving.batcher import Entry
from provetune.serving.faults import Fault


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


class Ticket:
    """One request of one or many items.

    Args:
        entries: its items, see `fill`.
        loop: that its future belongs to.

    Attributes:
        future: the answers as JSON, in the order asked; or the fault of the request.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.future: asyncio.Future[list[bytes]] = loop.create_future()
        self.entries: Sequence[Entry] = ()
        self._rows: list[bytes] = []
        self._left = 0

    def fill(self, entries: Sequence[Entry]) -> None:
        """What it waits for."""
        self.entries = entries
        self._rows = [b""] * len(entries)
        self._left = len(entries)

    @property
    def done(self) -> bool:
        return self.future.done()

    def answer(self, place: int, row: bytes) -> None:
        """The answer to one item."""
        if self.future.done():
            return
        self._rows[place] = row
        self._left -= 1
        if not self._left:
            self.future.set_result(self._rows)

    def fail(self, error: Exception) -> None:
        """The request as a whole is not answered."""
        if not self.future.done():
            self.future.set_exception(error)
            # It may be that nobody asks any more.
            self.future.exception()


class StreamTicket(Ticket):
    """A request whose answer is told while it is written.

    Attributes:
        pieces: text by text; then None at the end, or the fault that ended it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.pieces: asyncio.Queue[str | Fault | Any] = asyncio.Queue()

    def fail(self, error: Exception) -> None:
        super().fail(error)
        self.pieces.put_nowait(error)
