"""The two addresses that programs written for OpenAI's interface ask: conversations and vectors.

What a bundle was proven with holds: fields that would change how it writes (``temperature``, ``max_tokens``, …) are
taken and not obeyed. A field that asks for what is never given (``n`` above 1, tools) is refused.
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Sequence
from typing import Any

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
from provetune.serving.predict_requests import read_model, read_switch
from provetune.serving.predicting import send_event
from provetune.serving.service import Service
from provetune.serving.tickets import ClientGone

_PLAIN = (None, False)


class _Address:
    """What both addresses do alike."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        status = 200
        lane: Lane | None = None
        try:
            body = await read_body(receive)
            document = read_object(body)
            lane = self._service.choose(read_model(document), body)
            await self._answer(lane, document, receive, send)
        except ClientGone:
            status = 499
        except Fault as fault:
            status = fault.status
            await send_fault(send, fault)
        finally:
            if lane is not None:
                lane.measures.answered(status, time.perf_counter() - started)

    async def _answer(self, lane: Lane, document: dict[str, Any], receive: Receive, send: Send) -> None:
        raise NotImplementedError


class ChatCompletions(_Address):
    """``POST /v1/chat/completions``."""

    async def _answer(self, lane: Lane, document: dict[str, Any], receive: Receive, send: Send) -> None:
        messages = read_messages(document)
        if lane.description.task != "chat":
            raise invalid(f"The bundle '{lane.description.name}' holds no conversation; ask /v1/predict.")
        head = {"id": f"chatcmpl-{os.urandom(12).hex()}", "created": int(time.time()), "model": lane.description.name}
        if read_switch(document, "stream"):
            await self._stream(lane, messages, head, receive, send)
            return
        ticket = lane.submit([messages], _PLAIN)
        with Watch(lane, ticket, receive):
            rows = await ticket.future
        text = json.loads(rows[0]).get("text")
        asked, told = ticket.entries[0].tokens, lane.count_tokens.count(str(text or ""))
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        found = {**head, "object": "chat.completion", "choices": [choice], "usage": _usage(asked, told)}
        await send_json(send, 200, json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))

    async def _stream(
        self, lane: Lane, messages: list[Any], head: dict[str, Any], receive: Receive, send: Send
    ) -> None:
        head = {**head, "object": "chat.completion.chunk"}

        def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
            return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

        ticket = lane.submit_stream(messages)
        with Watch(lane, ticket, receive) as watch:
            piece = await ticket.pieces.get()
            watch.begun()
            if isinstance(piece, Exception):
                raise piece
            await send(
                {"type": "http.response.start", "status": 200, "headers": [EVENTS, (b"cache-control", b"no-store")]}
            )
            await send_event(send, chunk({"role": "assistant", "content": ""}))
            while isinstance(piece, str):
                await send_event(send, chunk({"content": piece}))
                piece = await ticket.pieces.get()
            await send_event(send, piece.document() if isinstance(piece, Fault) else chunk({}, "stop"))
            await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})


class Embeddings(_Address):
    """``POST /v1/embeddings``."""

    async def _answer(self, lane: Lane, document: dict[str, Any], receive: Receive, send: Send) -> None:
        texts = read_texts(document)
        form = document.get("encoding_format", "float")
        if form not in ("float", "base64"):
            raise invalid("encoding_format must be 'float' or 'base64'.")
        if lane.description.answer_keys[0] != "embedding":
            raise invalid(f"The bundle '{lane.description.name}' makes no vectors; ask /v1/predict.")
        ticket = lane.submit(texts, _PLAIN)
        with Watch(lane, ticket, receive):
            rows = await ticket.future
        vectors = [json.loads(row)["embedding"] for row in rows]
        data = [
            {"object": "embedding", "index": number, "embedding": vector if form == "float" else _packed(vector)}
            for number, vector in enumerate(vectors)
        ]
        usage = _usage(sum(entry.tokens for entry in ticket.entries), None)
        found = {"object": "list", "data": data, "model": lane.description.name, "usage": usage}
        await send_json(send, 200, json.dumps(found).encode())


def read_messages(document: dict[str, Any]) -> list[Any]:
    """The conversation of a request.

    Raises:
        Fault: there is none, or something is asked for that no bundle does.
    """
    messages = document.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(each, dict) for each in messages):
        raise invalid("messages must be a list of objects with 'role' and 'content'.")
    if document.get("n") not in (None, 1):
        raise invalid("n must be 1.")
    for name in ("tools", "functions", "response_format"):
        if document.get(name):
            raise invalid(f"'{name}' is not done here.")
    return [_plain_message(message, number) for number, message in enumerate(messages)]


def read_texts(document: dict[str, Any]) -> list[Any]:
    """The texts of a request for vectors.

    Raises:
        Fault: there are none.
    """
    texts = document.get("input")
    found = [texts] if isinstance(texts, str) else texts
    if not isinstance(found, list) or not found or not all(isinstance(text, str) for text in found):
        raise invalid("input must be a text or a list of texts.")
    if document.get("dimensions") is not None:
        raise invalid("dimensions cannot be chosen: a vector is as long as the bundle makes it.")
    return found


def _plain_message(message: dict[str, Any], number: int) -> dict[str, Any]:
    """A message whose content is one text; clients send it in parts, too."""
    content = message.get("content")
    if isinstance(content, list):
        parts = [
            part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in content
        ]
        if not all(isinstance(part, str) for part in parts):
            raise invalid(f"messages[{number}]: only parts of text are read.")
        content = "".join(map(str, parts))
    if not isinstance(content, str) or not isinstance(message.get("role"), str):
        raise invalid(f"messages[{number}]: 'role' and 'content' must be texts.")
    return {"role": message["role"], "content": content}


def _packed(vector: Sequence[float]) -> str:
    """A vector as OpenAI's clients ask for it: base64 of little-endian single-precision numbers."""
    import numpy as np

    return base64.b64encode(np.asarray(vector, dtype="<f4").tobytes()).decode()


def _usage(asked: int, told: int | None) -> dict[str, int]:
    found = {"prompt_tokens": asked, "total_tokens": asked + (told or 0)}
    return found if told is None else {**found, "completion_tokens": told}
