"""The page on a real port before a service that answers from a table: one bundle of each kind."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.responses import StreamingResponse

from provetune.serving import page
from provetune.serving.access import Access
from provetune.serving.access_connections import uvicorn_options
from provetune.serving.limits import Limits

LABELS = ["billing", "delivery", "refund_not_showing_up", "lost_or_stolen_card", "<img src=x onerror=alert(1)>"]
EMOJI_TEXT = "📦 Order 4711 goes to Anna in Lyon."

MODELS: dict[str, tuple[dict[str, Any], Any]] = {
    "intents": (
        {
            "task": "classification",
            "columns": ["message"],
            "labels": LABELS,
            "answer_keys": ["label", "score"],
            "example": "My card was charged twice.",
        },
        {
            "label": "billing",
            "score": 0.914,
            "labels": {
                "billing": 0.914,
                "refund_not_showing_up": 0.051,
                "delivery": 0.02,
                LABELS[3]: 0.01,
                LABELS[4]: 0.005,
            },
        },
    ),
    "topics": (
        {
            "task": "classification",
            "columns": ["text"],
            "labels": ["trade", "oil"],
            "answer_keys": ["label", "score"],
            "example": "Crude rose.",
        },
        {"label": ["trade", "oil"], "score": 0.6, "labels": {"oil": 0.8, "trade": 0.6}},
    ),
    "unsure": (
        {
            "task": "classification",
            "columns": ["text"],
            "labels": ["a", "b"],
            "answer_keys": ["label", "score"],
            "example": "x",
        },
        {"label": None, "score": 0.5, "labels": {"a": 0.51, "b": 0.49}},
    ),
    "stars": (
        {"task": "regression", "columns": ["text"], "labels": [], "answer_keys": ["value"], "example": "Profits fell."},
        {"value": -0.7213},
    ),
    "names": (
        {
            "task": "tagging",
            "columns": ["text"],
            "labels": ["number", "name", "city"],
            "answer_keys": ["spans"],
            "example": EMOJI_TEXT,
        },
        {
            "spans": [
                {"start": 8, "end": 12, "text": "4711", "label": "number", "score": 0.99},
                {"start": 21, "end": 25, "text": "Anna", "label": "name", "score": 0.91},
                {"start": 29, "end": 33, "text": "Lyon", "label": "city", "score": 0.88},
            ]
        },
    ),
    "pairs": (
        {
            "task": "pair",
            "columns": ["sentence_a", "sentence_b"],
            "labels": ["entailment", "neutral"],
            "answer_keys": ["label", "score"],
            "example": {"sentence_a": "A man plays.", "sentence_b": "Somebody makes music."},
        },
        {"label": "entailment", "score": 0.8, "labels": {"entailment": 0.8, "neutral": 0.2}},
    ),
    "questions": (
        {
            "task": "span_qa",
            "columns": ["question", "context"],
            "labels": [],
            "answer_keys": ["answer", "score", "start", "end"],
            "example": {"question": "Who wrote it?", "context": "The report was written by Ada Byron in 1843."},
        },
        {"answer": "Ada Byron", "score": 0.97, "start": 26, "end": 35},
    ),
    "search": (
        {
            "task": "retrieval",
            "columns": ["question"],
            "labels": [],
            "answer_keys": ["embedding"],
            "example": "password?",
        },
        {"embedding": [0.6, -0.8] + [0.0] * 382},
    ),
    "shelf": (
        {
            "task": "retrieval",
            "columns": ["question"],
            "labels": [],
            "answer_keys": ["document", "score"],
            "example": "q",
        },
        {
            "document": "Open Settings.",
            "score": 11.2,
            "documents": [{"document": "Open Settings.", "score": 11.2}, {"document": "Call us.", "score": 3.4}],
        },
    ),
    "translate": (
        {
            "task": "seq2seq",
            "columns": ["source"],
            "labels": [],
            "answer_keys": ["text", "score"],
            "example": "Nothing arrived.",
        },
        {"text": "Rien n'est arrivé.", "score": 0.9},
    ),
    "helper": (
        {
            "task": "chat",
            "columns": ["messages"],
            "labels": [],
            "answer_keys": ["text", "score"],
            "streams": True,
            "example": [{"role": "user", "content": "My card was charged twice."}],
        },
        {"text": "I am sorry. I have refunded one of the charges.", "score": 0.9},
    ),
}


def page_app(asked: list[dict[str, Any]], fault: dict[str, Any]) -> FastAPI:
    """The page and the two addresses it asks; `fault` makes the next answer one, as status and body."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(page.router(None))

    @app.get("/v1/models")
    async def models() -> Any:
        data = [{"id": name, "streams": False, **described} for name, (described, _) in MODELS.items()]
        return {"object": "list", "data": data, "aliases": {"production": {"model": "intents", "share": 1.0}}}

    @app.post("/v1/predict")
    async def predict(request: Request) -> Response:
        body = await request.json()
        asked.append(body)
        if fault:
            status, told, headers = fault.pop("status"), fault.pop("body"), fault.pop("headers", {})
            return Response(json.dumps(told), status, headers, "application/json")
        answer = MODELS[body["model"]][1]
        if not body.get("stream"):
            return Response(json.dumps({"model": body["model"], "answer": answer}), media_type="application/json")

        async def pieces() -> Any:
            for piece in answer["text"].split(" "):
                event = {"text": piece if piece == "I" and not said else f" {piece}" if said else piece}
                said.append(piece)
                yield f"data: {json.dumps(event)}\n\n"
                await asyncio.sleep(0.02)
            yield "data: [DONE]\n\n"

        said: list[str] = []
        return StreamingResponse(pieces(), media_type="text/event-stream")

    return app


@contextmanager
def running(app: Any, access: Access | None = None, limits: Limits | None = None) -> Iterator[str]:
    """An application on a free port of loopback, in a thread; gives its address."""
    found = access.wrap(app) if access is not None else app
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        config = uvicorn.Config(found, lifespan="off", **uvicorn_options(limits or Limits()))
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        until = time.monotonic() + 20
        while not server.started and time.monotonic() < until:
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)
