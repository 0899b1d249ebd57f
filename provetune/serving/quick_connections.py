"""HTTP/1.1 read by llhttp rather than in Python: a third of the server's time for one request.

What is demanded of a connection is the same, see `provetune.serving.access_connections`; the length of a head, which
llhttp does not limit, is limited here.
"""

from __future__ import annotations

from typing import Any

from provetune.serving.access_connections import timed_protocol, uvicorn_options
from provetune.serving.limits import Limits


def quick_options(limits: Limits) -> dict[str, Any]:
    """What `uvicorn.Config` is to be given; h11 reads requests where httptools is not installed."""
    options = uvicorn_options(limits)
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
    except ImportError:
        return options
    return {**options, "http": _bounded(timed_protocol(limits, HttpToolsProtocol), limits.header_bytes)}


def _bounded(base: Any, most_bytes: int) -> Any:
    """A protocol that refuses a head of more bytes."""

    class BoundedProtocol(base):  # type: ignore[misc]
        _unread = 0

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            # While no head is whole, all that has come since the last one belongs to the next.
            self._unread = 0 if self._answering() else self._unread + len(data)
            if self._unread > most_bytes and not self.transport.is_closing():
                self.send_400_response("The head of the request is too long.")

        def on_headers_complete(self) -> None:
            if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > most_bytes:
                raise ValueError("the head of the request is too long")  # llhttp's reader makes a 400 of it
            super().on_headers_complete()

    return BoundedProtocol
