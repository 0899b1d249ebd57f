"""Items that wait for one bundle, and which of them are computed together next.

No clock, no loop and no process of its own: it is told the time, so that its rules can be tried to the letter.

An item waits only while others are coming: when the last batch held several requests, the next one waits for as many,
for `Limits.max_wait_s` at most. One caller alone never waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(eq=False)
class Entry:
    """One item in the queue.

    Attributes:
        item: what is asked; JSON.
        tokens: what it costs.
        kind: items of one kind alone are computed together: the same options, e.g. ``top_k``.
        ticket: the request that it belongs to.
        place: its number within that request.
        since: when it was put here, seconds.
        gone: nobody waits for it any more.
        alone: it is computed by itself, e.g. as it is streamed.
    """

    item: Any
    tokens: int
    kind: Any
    ticket: Any
    place: int
    since: float = 0.0
    gone: bool = False
    alone: bool = False


@dataclass(frozen=True)
class BatchLimits:
    """What a batch and the queue may hold.

    Attributes:
        tokens, rows: of a batch. An item that alone has more tokens is a batch of its own.
        max_wait_s: longest that an item waits for company.
        queue: items that wait.
    """

    tokens: int
    rows: int
    max_wait_s: float
    queue: int


class Batcher:
    """The queue of one bundle.

    Attributes:
        batch_tokens: tokens of a batch at most just now: never more than the limit, fewer where so many take too long.
    """

    def __init__(self, limits: BatchLimits) -> None:
        self.limits = limits
        self._waiting: deque[Entry] = deque()
        self._rows = self._tokens = 0
        self._requests = 0
        self._company = 1
        self.batch_tokens = limits.tokens

    @property
    def rows(self) -> int:
        """Items that wait and are wanted."""
        return self._rows

    @property
    def tokens(self) -> int:
        """Tokens of those."""
        return self._tokens

    def has_room(self, rows: int) -> bool:
        """Whether so many items may be put here now."""
        return self._rows + rows <= self.limits.queue

    def put(self, entries: Iterable[Entry], now: float) -> None:
        """Let the items of one request wait."""
        for entry in entries:
            entry.since = now
            self._waiting.append(entry)
            self._rows += 1
            self._tokens += entry.tokens
        self._requests += 1

    def drop(self, entries: Iterable[Entry]) -> int:
        """Forget items that nobody waits for any more; how many of them were waiting still."""
        found = 0
        for entry in entries:
            if not entry.gone and entry.since >= 0:
                entry.gone = True
                self._rows -= 1
                self._tokens -= entry.tokens
                found += 1
        # Items that are gone keep their place until their turn comes; many of them would be a leak.
        if len(self._waiting) > 2 * self._rows + 64:
            self._waiting = deque(entry for entry in self._waiting if not entry.gone)
        if not self._rows:
            self._requests = 0
        return found

    def wait(self, now: float) -> float | None:
        """Seconds until a batch should be taken, 0 for now; None where nothing waits."""
        first = self._first()
        if first is None:
            return None
        limits = self.limits
        if first.alone or self._requests >= self._company:
            return 0.0
        if self._rows >= limits.rows or self._tokens >= self.batch_tokens:
            return 0.0
        return max(0.0, first.since + limits.max_wait_s - now)

    def take(self) -> list[Entry]:
        """The next batch, first come, first served among items of one kind; empty where nothing waits."""
        first = self._first()
        if first is None:
            return []
        batch: list[Entry] = []
        passed: list[Entry] = []
        tokens = 0
        while self._waiting and len(batch) < self.limits.rows:
            entry = self._waiting[0]
            if not entry.gone and entry.kind == first.kind and not (batch and (entry.alone or first.alone)):
                if batch and tokens + entry.tokens > self.batch_tokens:
                    break
                batch.append(entry)
                tokens += entry.tokens
            elif not entry.gone:
                passed.append(entry)
            self._waiting.popleft()
            if first.alone:
                break
        self._waiting.extendleft(reversed(passed))
        for entry in batch:
            entry.since = -1.0  # it waits no longer
        self._rows -= len(batch)
        self._tokens -= tokens
        requests = len({id(entry.ticket) for entry in batch})
        self._requests = max(0, self._requests - requests) if self._rows else 0
        self._company = requests
        return batch

    def _first(self) -> Entry | None:
        while self._waiting and self._waiting[0].gone:
            self._waiting.popleft()
        return self._waiting[0] if self._waiting else None
