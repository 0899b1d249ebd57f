"""The connection below HTTP: how long a caller may take to send a request's head, and what the server tells of itself.

uvicorn waits for ever for a head that comes letter by letter (slow loris); each such connection costs a descriptor.
Here a connection has `Limits.header_seconds` from its beginning, and from the first byte of each later request.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from provetune.serving.limits import Limits


def uvicorn_options(limits: Limits) -> dict[str, Any]:
    """What `uvicorn.Config` is to be given, besides the application and where to listen."""
    return {
        "http": timed_protocol(limits),
        "ws": "none",
        "h11_max_incomplete_event_size": limits.header_bytes,
        "timeout_keep_alive": 5,
        # Headers that say who a caller is are written by anybody.
        "proxy_headers": False,
        "server_header": False,
        "access_log": False,
        "log_config": None,
    }


def timed_protocol(limits: Limits, base: Any = H11Protocol) -> Any:
    """uvicorn's HTTP/1.1 on one connection, with a time for the head of each request.

    Args:
        base: uvicorn's protocol that reads it.
    """
    return type("TimedProtocol", (_TimedHeads, base), {"header_seconds": limits.header_seconds})


class _TimedHeads(asyncio.Protocol):
    """Laid over a protocol of uvicorn's: it closes a connection whose next head takes too long."""

    header_seconds: float
    cycle: Any
    loop: Any
    transport: Any
    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # Each byte does not buy more time: the timer is set once a head, and goes when the head is there.
        if self._answering():
            self._stop_waiting()
        elif self._head is None:
            self._await_head()

    def on_response_complete(self) -> None:
        self._stop_waiting()
        super().on_response_complete()  # type: ignore[misc]
        # The beginning of the next head may have come while this one was answered.
        if not self._answering() and self._begun():
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        if self._answering() and self.cycle.response_started:
            self.transport.close()
            return
        self.transport.write(_plain(b"400 Bad Request", "bad_request", "This is no HTTP request."))
        self.transport.close()

    def _begun(self) -> bool:
        conn = getattr(self, "conn", None)
        return conn is not None and bool(conn.trailing_data[0])

    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _await_head(self) -> None:
        self._head = self.loop.call_later(self.header_seconds, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _too_slow(self) -> None:
        self._head = None
        if not self._answering() and not self.transport.is_closing():
            self.transport.write(_plain(b"408 Request Timeout", "timeout", "The request did not come in time."))
            self.transport.close()


def _plain(status: bytes, kind: str, message: str) -> bytes:
    body = json.dumps({"error": {"type": kind, "message": message}}).encode()
    head = b"HTTP/1.1 %s\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % (status, len(body)) + body
