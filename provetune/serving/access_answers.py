"""What the door itself answers: errors in one form, and the headers that every answer carries.

An error is ``{"error": {"type", "message"}}``, whoever gives it. It never holds a traceback, a path of this machine or
what the caller sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Headers: TypeAlias = "list[tuple[bytes, bytes]]"

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SECURITY: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"content-security-policy", PAGE_POLICY.encode()),
    (b"cache-control", b"no-store"),
]
# What an application behind the door may not say to the world.
_DROPPED = frozenset({b"server", b"x-powered-by", b"access-control-allow-origin", b"access-control-allow-credentials"})


@dataclass(frozen=True)
class Turned:
    """A request that was turned away, and why.

    Attributes:
        status: of HTTP.
        type: short stable name of the reason, e.g. ``"unauthorized"``.
        message: one sentence for whoever reads it.
        headers: besides the usual ones, e.g. ``Retry-After``.
    """

    status: int
    type: str
    message: str
    headers: Headers = field(default_factory=list)


class TurnedAway(Exception):
    """Raised where a request is read and found wanting; `reason` is what the caller is told."""

    def __init__(self, reason: Turned) -> None:
        super().__init__(reason.type)
        self.reason = reason


def error_body(kind: str, message: str) -> bytes:
    """The body of every error."""
    return json.dumps({"error": {"type": kind, "message": message}}).encode()


def with_security(headers: Iterable[tuple[bytes, bytes]], request_id: str) -> Headers:
    """An answer's headers and those that every answer carries; what the application set for itself stays, but it
    cannot open the door to other origins or tell what it is made of."""
    kept = [(name.lower(), value) for name, value in headers if name.lower() not in _DROPPED]
    own = {name for name, _ in kept}
    kept += [(name, value) for name, value in _SECURITY if name not in own]
    return [*kept, (b"x-request-id", request_id.encode())]


async def answer(send: Any, turned: Turned, *, head: bool = False) -> None:
    """Send an error; of a HEAD request without its body."""
    body = error_body(turned.type, turned.message)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *turned.headers,
    ]
    await send({"type": "http.response.start", "status": turned.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body})
