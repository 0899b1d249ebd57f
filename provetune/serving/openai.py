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

from provetune.serving.asking import Address, Events, ask, stream
from provetune.serving.exchange import Receive, Send, send_json
from provetune.serving.faults import invalid
from provetune.serving.lane import Lane
from provetune.serving.predict_requests import read_model, read_switch

_PLAIN = (None, False)


class _Address(Address):
    """Both take any field, and name the model as `/v1/predict` does."""

    def _read(self, document: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
        return read_model(document), document


class ChatCompletions(_Address):
    """``POST /v1/chat/completions``."""

    async def _answer(self, lane: Lane, asked: dict[str, Any], body: bytes, receive: Receive, send: Send) -> None:
        messages = read_messages(asked)
        if lane.description.task != "chat":
            raise invalid(f"The bundle '{lane.description.name}' holds no conversation; ask /v1/predict.")
        head = {"id": f"chatcmpl-{os.urandom(12).hex()}", "created": int(time.time()), "model": lane.description.name}
        if read_switch(asked, "stream"):
            await stream(lane, messages, _chunks(head), receive, send)
            return
        rows = await ask(lane, [messages], _PLAIN, receive)
        text = json.loads(rows[0]).get("text")
        usage = _usage(lane.count_tokens(messages), lane.count_tokens.count(str(text or "")))
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        found = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
        await send_json(send, 200, json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))


class Embeddings(_Address):
    """``POST /v1/embeddings``."""

    async def _answer(self, lane: Lane, asked: dict[str, Any], body: bytes, receive: Receive, send: Send) -> None:
        texts = read_texts(asked)
        form = asked.get("encoding_format", "float")
        if form not in ("float", "base64"):
            raise invalid("encoding_format must be 'float' or 'base64'.")
        if lane.description.answer_keys[0] != "embedding":
            raise invalid(f"The bundle '{lane.description.name}' makes no vectors; ask /v1/predict.")
        vectors = [json.loads(row)["embedding"] for row in await ask(lane, texts, _PLAIN, receive)]
        data = [
            {"object": "embedding", "index": number, "embedding": vector if form == "float" else _packed(vector)}
            for number, vector in enumerate(vectors)
        ]
        usage = _usage(sum(map(lane.count_tokens, texts)), None)
        found = {"object": "list", "data": data, "model": lane.description.name, "usage": usage}
        await send_json(send, 200, json.dumps(found).encode())


def _chunks(head: dict[str, Any]) -> Events:
    """The events of a conversation's stream, as OpenAI's clients read them."""
    head = {**head, "object": "chat.completion.chunk"}

    def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    return Events(
        piece=lambda text: chunk({"content": text}),
        first=(chunk({"role": "assistant", "content": ""}),),
        last=(chunk({}, "stop"),),
    )


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
