"""A small application behind a door, for tests of the door alone, and ways to knock."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from provetune.ledger.api_keys import KeyBook
from provetune.serving.access import UNKNOWN_ROUTE, Access, Gate
from provetune.serving.access_hosts import Names
from provetune.serving.keyring import Keyring
from provetune.serving.keys import NewKey, make_key

SCOPES: dict[str, Any] = {
    "/health/live": "open",
    "/health/ready": "open",
    "/v1/predict": "predict",
    "/v1/models": "read",
    "/v1/admin/promote": "admin",
    "/broken": "read",
    "/half": "read",
    "/wide": "read",
}


def find_gate(_: str, path: str) -> Gate:
    return Gate(path, SCOPES[path]) if path in SCOPES else Gate(UNKNOWN_ROUTE, None)


async def _echo(request: Request) -> Response:
    body = await request.body()
    return JSONResponse({"bytes": len(body), "key": request.state.key_id})


async def _fine(_: Request) -> Response:
    return PlainTextResponse("fine")


async def _broken(_: Request) -> Response:
    raise RuntimeError("the secret text of a customer")


async def _wide(_: Request) -> Response:
    headers = {"server": "x/1", "x-powered-by": "y", "access-control-allow-origin": "*", "cache-control": "max-age=5"}
    return PlainTextResponse("fine", headers=headers)


async def _half(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"begun", "more_body": True})
    raise RuntimeError("the secret text of a customer")


def door_app() -> Any:
    every = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]
    routes = [
        Route("/health/live", _fine),
        Route("/health/ready", _fine),
        Route("/v1/predict", _echo, methods=["POST"]),
        Route("/v1/models", _fine),
        Route("/v1/admin/promote", _fine, methods=every),
        Route("/broken", _broken),
        Route("/wide", _wide),
    ]
    inner = Starlette(routes=routes)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path") == "/half":
            await _half(scope, receive, send)
        else:
            await inner(scope, receive, send)

    return app


@dataclass
class Answered:
    """What came back."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def error(self) -> str | None:
        try:
            found = json.loads(self.body)["error"]
        except (ValueError, KeyError, TypeError):
            return None
        assert set(found) == {"type", "message"}
        return str(found["type"])


def knock(
    app: Any,
    path: str = "/v1/models",
    method: str = "GET",
    *,
    headers: dict[str, str] | None = None,
    more_headers: list[tuple[bytes, bytes]] | None = None,
    pieces: list[bytes] | None = None,
    pause: float = 0.0,
) -> Answered:
    """One request by ASGI: the body in pieces, with a pause before each."""
    named = {"host": "127.0.0.1:8000", **(headers or {})}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in named.items()] + (more_headers or []),
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8000),
        "scheme": "http",
        "root_path": "",
    }
    left = list(pieces or [b""])
    found = Answered()

    async def receive() -> Any:
        await asyncio.sleep(pause)
        if not left:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            found.status = message["status"]
            found.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            found.body += message.get("body", b"")

    asyncio.run(app(scope, receive, send))
    return found


def bearer(made: NewKey) -> dict[str, str]:
    return {"authorization": f"Bearer {made.text}"}


def add_key(location: str, name: str = "shop", *scopes: str, **options: Any) -> NewKey:
    made = make_key(name, scopes or ("predict", "read"), **options)
    with KeyBook(location) as book:
        book.add(made.entry)
    return made


def door(location: str | None, *, bound: str = "127.0.0.1", **options: Any) -> Access:
    """A door whose keys are read when `refresh` is called, not by a thread."""
    ring = options.pop("keyring", None) or Keyring(location)
    ring.refresh()
    return Access(ring, Names(bound), options.pop("find_gate", find_gate), **options)


Knock = Callable[..., Answered]
