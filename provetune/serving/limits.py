"""How much one caller may ask for: bytes of a body, seconds to send it, requests a minute."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from provetune.core.errors import UsageError
from provetune.serving.steady_clock import steady_seconds

_FORGOTTEN_AFTER = 10_000


@dataclass(frozen=True)
class Limits:
    """What a request may be.

    Attributes:
        body_bytes: of a body, else 413.
        body_seconds: that a caller may take to send a body, else 408.
        header_seconds: that a connection may take to send a request's head, else it is closed.
        header_bytes: of a request's head, else 400 or 431.
        text_letters: of one text, else 413.
        json_depth: lists and objects within each other, else 400.
    """

    body_bytes: int = 2_000_000
    body_seconds: float = 20.0
    header_seconds: float = 10.0
    header_bytes: int = 16_384
    text_letters: int = 200_000
    json_depth: int = 64

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 < value < float("inf"):
                raise UsageError(f"The limit {name} must be a number above 0. Got {value} instead.")


class TokenBuckets:
    """Requests a minute of each key, by the monotonic clock: a bucket of `burst` that fills at `per_minute`.

    Safe to use from several threads.
    """

    def __init__(self, steady: Callable[[], float] = steady_seconds) -> None:
        self._steady = steady
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def take(self, name: str, per_minute: float, burst: int) -> int:
        """Take one request out of a bucket.

        Returns:
            0 where it was there; else whole seconds until there is one, and nothing was taken.
        """
        rate = per_minute / 60
        with self._lock:
            moment = self._steady()
            level, seen = self._buckets.get(name, (float(burst), moment))
            level = min(float(burst), level + (moment - seen) * rate)
            if len(self._buckets) > _FORGOTTEN_AFTER:
                self._buckets.pop(next(iter(self._buckets)))
            # A hair less than one is one: sums of fractions.
            if level >= 1 - 1e-9:
                self._buckets[name] = (max(0.0, level - 1), moment)
                return 0
            self._buckets[name] = (level, moment)
            return max(1, ceil((1 - level) / rate - 1e-9))
