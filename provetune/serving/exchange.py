"""One HTTP request and its answer, in ASGI and nothing else: the way of every prediction, kept short.

FastAPI describes the service and serves what is asked seldom. A prediction takes a millisecond or two, of which a
framework's validation and response classes would be a fair part.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, TypeAlias

from provetune.serving.faults import Fault, invalid
from provetune.serving.lane import Lane
from provetune.serving.tickets import ClientGone, Ticket

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Scope: TypeAlias = MutableMapping[str, Any]

MOST_BYTES = 32 << 20
JSON = (b"content-type", b"application/json")
EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")
_WATCH_AFTER_S = 0.01


async def read_body(receive: Receive) -> bytes:
    """The whole body.

    Raises:
        Fault: it is larger than any is.
        ClientGone: the client went away while sending.
    """
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body
    pieces, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > MOST_BYTES:
            raise Fault(413, "too_large", f"A body may have {MOST_BYTES:,} bytes.")
    return b"".join(pieces)


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a body.

    Raises:
        Fault: it is none.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise Fault(400, "invalid_json", "The body is not JSON.") from None
    if not isinstance(found, dict):
        raise invalid("The body must be a JSON object.")
    return found


async def send_json(send: Send, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
    """A whole answer."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [JSON, length, *headers]})
    await send({"type": "http.response.body", "body": body})


async def send_fault(send: Send, fault: Fault) -> None:
    await send_json(send, fault.status, fault.body(), fault.headers())


class Watch:
    """While it lasts: a request that is late or whose client goes away is given up.

    Nothing is watched in the first hundredth of a second, within which most answers are there.

    Args:
        deadline: whether the request's time is limited by the lane's deadline.
    """

    def __init__(self, lane: Lane, ticket: Ticket, receive: Receive) -> None:
        self._lane, self._ticket, self._receive = lane, ticket, receive
        self._loop = asyncio.get_running_loop()
        self._listener: asyncio.Task[None] | None = None

    def __enter__(self) -> Watch:
        self._timer = self._loop.call_later(_WATCH_AFTER_S, self._begin)
        self._deadline = self._loop.call_later(self._lane.settings.deadline_s, self._lane.expire, self._ticket)
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._deadline.cancel()
        if self._listener is not None:
            self._listener.cancel()
        if not self._ticket.done:
            self._lane.give_up(self._ticket)

    def begun(self) -> None:
        """The answer is being written: the deadline is kept."""
        self._deadline.cancel()

    def _begin(self) -> None:
        self._listener = self._loop.create_task(self._listen())

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if not self._ticket.done:
            self._lane.give_up(self._ticket)
