"""``POST /v1/predict``: one item or many, answered whole or piece by piece."""

from __future__ import annotations

import json
from typing import Any

from provetune.serving.asking import Address, Events, ask, stream
from provetune.serving.exchange import Receive, Send, send_json
from provetune.serving.faults import invalid
from provetune.serving.lane import Lane
from provetune.serving.predict_requests import PredictRequest, parse

_EVENTS = Events(lambda piece: {"text": piece})


class Predict(Address):
    """The ASGI application of one address."""

    def _read(self, document: dict[str, Any]) -> tuple[str | None, PredictRequest]:
        request = parse(document)
        return request.model, request

    async def _answer(self, lane: Lane, asked: PredictRequest, body: bytes, receive: Receive, send: Send) -> None:
        if asked.stream:
            if not lane.description.streams:
                raise invalid(f"The bundle '{lane.description.name}' writes no text that could be streamed.")
            await stream(lane, asked.items[0], _EVENTS, receive, send)
            return
        rows = await ask(lane, asked.items, asked.options, receive)
        name = json.dumps(lane.description.name).encode()
        told = b"[" + b",".join(rows) + b"]" if asked.many else rows[0]
        key = b'","answers":' if asked.many else b'","answer":'
        await send_json(send, 200, b'{"model":' + name[:-1] + key + told + b"}")
        shadow = self._service.shadow_of(asked.model, body)
        if shadow is not None:
            self._service.show_shadow(shadow, asked.items, asked.options, rows)
