"""What a caller is told when a request cannot be answered: a status, one line, and nothing of our insides."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any


@dataclass
class Fault(Exception):
    """A request that is not answered, and why.

    Attributes:
        status: of HTTP.
        kind: stable name for programs, e.g. ``"queue_full"``.
        message: for a person: what is wrong and what to do.
        item: number (from 0) of the item at fault, where a request has many.
        retry_after_s: seconds after which it may be tried again.
    """

    status: int
    kind: str
    message: str
    item: int | None = None
    retry_after_s: float | None = None

    def __post_init__(self) -> None:
        super().__init__(self.message)

    def document(self) -> dict[str, Any]:
        """As JSON. OpenAI's clients read ``type`` and ``message``."""
        found: dict[str, Any] = {"type": self.kind, "message": self.message, "code": self.kind}
        return {"error": found if self.item is None else {**found, "item": self.item}}

    def body(self) -> bytes:
        return json.dumps(self.document(), ensure_ascii=False).encode("utf-8", "replace")

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Headers of its own; ``Retry-After`` is in whole seconds, one at least."""
        if self.retry_after_s is None:
            return []
        return [(b"retry-after", str(max(1, math.ceil(self.retry_after_s))).encode())]


def invalid(message: str, item: int | None = None) -> Fault:
    """A request that says something wrong."""
    return Fault(422, "invalid_request", message, item)


def worker_died() -> Fault:
    """The process that was to answer is gone; another is being started."""
    return Fault(503, "worker_died", "The worker that was answering this died; it is being replaced.", retry_after_s=2)


def not_ready(name: str) -> Fault:
    return Fault(503, "not_ready", f"The bundle '{name}' is not ready yet.", retry_after_s=2)


def late(deadline_s: float) -> Fault:
    return Fault(504, "deadline", f"There was no answer within {deadline_s:g} s.")


def draining() -> Fault:
    return Fault(503, "shutting_down", "The server is shutting down.", retry_after_s=2)
