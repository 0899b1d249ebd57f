"""Time that does not jump: for spans the monotonic clock, for moments the wall clock held against it.

A wall clock is set forwards and backwards, by people, by NTP, by a machine that wakes up. A rate limit must not open
or close by that, and a key that has expired must not come back to life because the clock was set back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def steady_seconds() -> float:
    """Seconds from some beginning, never fewer than before; where the system counts them, those asleep too."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class Calendar:
    """The present moment for judging whether something has expired.

    It is the later of the wall clock and the wall clock as it was at the start with the seconds since counted on: a
    clock that is set back unlocks nothing; one that is set forward by mistake locks only until it is put right.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = steady_seconds,
    ) -> None:
        self._wall, self._steady = wall, steady
        self._from_wall, self._from_steady = wall(), steady()

    def now(self) -> datetime:
        """The present moment in UTC."""
        counted = self._from_wall + self._steady() - self._from_steady
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=max(self._wall(), counted))
