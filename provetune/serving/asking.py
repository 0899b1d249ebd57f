"""What the addresses that answer items do alike: read, choose a bundle, answer whole or in pieces, count."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from provetune.serving.exchange import EVENTS, Receive, Scope, Send, Watch, read_body, read_object, send_fault
from provetune.serving.faults import Fault
from provetune.serving.lane import Lane
from provetune.serving.service import Service
from provetune.serving.tickets import ClientGone

_DONE = b"data: [DONE]\n\n"


class Address:
    """The ASGI application of one address."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        lane: Lane | None = None
        status = 200
        try:
            body = await read_body(receive)
            model, asked = self._read(read_object(body))
            lane = self._service.choose(model, body)
            await self._answer(lane, asked, body, receive, send)
        except ClientGone:
            status = 499
        except Fault as fault:
            status = fault.status
            await send_fault(send, fault)
        finally:
            if lane is not None:
                lane.measures.answered(status, time.perf_counter() - started)

    def _read(self, document: dict[str, Any]) -> tuple[str | None, Any]:
        """The model that a body names, and what is asked.

        Raises:
            Fault: the body says something wrong.
        """
        raise NotImplementedError

    async def _answer(self, lane: Lane, asked: Any, body: bytes, receive: Receive, send: Send) -> None:
        """Answer with a bundle.

        Raises:
            Fault: it cannot be answered.
            ClientGone: nobody waits.
        """
        raise NotImplementedError


async def ask(lane: Lane, items: Sequence[Any], options: tuple[int | None, bool], receive: Receive) -> list[bytes]:
    """The answers to items as JSON, in their order.

    Raises:
        Fault: they are not answered.
        ClientGone: nobody waits.
    """
    ticket = lane.submit(items, options)
    with Watch(lane, ticket, receive):
        return await ticket.future


@dataclass(frozen=True)
class Events:
    """What the events of a stream look like.

    Attributes:
        piece: makes the document of a piece of text.
        first, last: documents before and after the pieces; a fault stands in the last ones' place.
    """

    piece: Callable[[str], object]
    first: Sequence[object] = field(default=())
    last: Sequence[object] = field(default=())


async def stream(lane: Lane, item: Any, events: Events, receive: Receive, send: Send) -> None:
    """Tell an answer while it is written.

    Raises:
        Fault: nothing was written yet, and nothing will be.
        ClientGone: nobody waits.
    """
    ticket = lane.submit_stream(item)
    with Watch(lane, ticket, receive) as watch:
        piece = await ticket.pieces.get()
        watch.begun()
        if isinstance(piece, Exception):
            raise piece
        headers = [EVENTS, (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for document in events.first:
            await _send_event(send, document)
        while isinstance(piece, str):
            await _send_event(send, events.piece(piece))
            piece = await ticket.pieces.get()
        for document in [piece.document()] if isinstance(piece, Fault) else events.last:
            await _send_event(send, document)
        await send({"type": "http.response.body", "body": _DONE})


async def _send_event(send: Send, document: object) -> None:
    line = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    await send({"type": "http.response.body", "body": b"data: " + line + b"\n\n", "more_body": True})
