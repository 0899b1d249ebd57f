"""``POST /v1/predict``: one item or many, answered whole or piece by piece."""

from __future__ import annotations

import json
import time

from provetune.serving.exchange import (
    EVENTS,
    Receive,
    Scope,
    Send,
    Watch,
    read_body,
    read_object,
    send_fault,
    send_json,
)
from provetune.serving.faults import Fault, invalid
from provetune.serving.lane import Lane
from provetune.serving.predict_requests import PredictRequest, parse
from provetune.serving.service import Service
from provetune.serving.tickets import ClientGone


class Predict:
    """The ASGI application of one address."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        lane: Lane | None = None
        status = 200
        try:
            body = await read_body(receive)
            request = parse(read_object(body))
            lane = self._service.choose(request.model, body)
            if request.stream:
                await self._stream(lane, request, receive, send)
            else:
                await self._answer(lane, request, body, receive, send)
        except ClientGone:
            status = 499
        except Fault as fault:
            status = fault.status
            await send_fault(send, fault)
        finally:
            if lane is not None:
                lane.measures.answered(status, time.perf_counter() - started)

    async def _answer(self, lane: Lane, request: PredictRequest, body: bytes, receive: Receive, send: Send) -> None:
        ticket = lane.submit(request.items, request.options)
        with Watch(lane, ticket, receive):
            rows = await ticket.future
        name = json.dumps(lane.description.name).encode()
        told = b"[" + b",".join(rows) + b"]" if request.many else rows[0]
        key = b'","answers":' if request.many else b'","answer":'
        await send_json(send, 200, b'{"model":' + name[:-1] + key + told + b"}")
        shadow = self._service.shadow_of(request.model, body)
        if shadow is not None:
            self._service.show_shadow(shadow, request.items, request.options, rows)

    async def _stream(self, lane: Lane, request: PredictRequest, receive: Receive, send: Send) -> None:
        if not lane.description.streams:
            raise invalid(f"The bundle '{lane.description.name}' writes no text that could be streamed.")
        ticket = lane.submit_stream(request.items[0])
        with Watch(lane, ticket, receive) as watch:
            piece = await ticket.pieces.get()
            watch.begun()
            if isinstance(piece, Exception):
                raise piece
            await send(
                {"type": "http.response.start", "status": 200, "headers": [EVENTS, (b"cache-control", b"no-store")]}
            )
            while isinstance(piece, str):
                await send_event(send, {"text": piece})
                piece = await ticket.pieces.get()
            if isinstance(piece, Fault):
                await send_event(send, piece.document())
            await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})


async def send_event(send: Send, document: object) -> None:
    """One event of a stream."""
    line = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    await send({"type": "http.response.body", "body": b"data: " + line + b"\n\n", "more_body": True})
