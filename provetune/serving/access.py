"""The door of the service: who is let in, to what, how often and with how much.

Every request goes through it, whatever route it asks for, one that does not exist among them: without a key nobody
learns what there is. Only ``/health/live`` and ``/health/ready`` are open. In order: the request's names
(`provetune.serving.access_hosts`), its key, the key's scope and rate, its body (`provetune.serving.access_bodies`).
"""

from __future__ import annotations

import base64
import binascii
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from provetune.core.errors import UsageError
from provetune.serving.access_answers import Turned, TurnedAway, answer, with_security
from provetune.serving.access_bodies import Gone, check_json, has_body, read_body, replayed
from provetune.serving.access_hosts import Names, is_loopback
from provetune.serving.access_log import AccessLog, Line, LogTexts
from provetune.serving.error_places import place_of
from provetune.serving.keyring import Keyring
from provetune.serving.keys import allows
from provetune.serving.limits import Limits, TokenBuckets

App: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]

UNKNOWN_ROUTE = "(none)"
_SLOW_DOWN = "Too many requests with this key; try again in {wait} s."
_AWAY = Turned(503, "keys_unavailable", "Keys cannot be checked at the moment.", [(b"retry-after", b"5")])


@dataclass(frozen=True)
class Gate:
    """What is demanded of whoever asks for a route.

    Attributes:
        route: as it is declared, e.g. ``"/v1/models/{name}"``; what the log shows.
        scope: that a key must have; ``"open"`` demands none, None any key.
    """

    route: str
    scope: Literal["open", "predict", "read", "admin"] | None


FindGate: TypeAlias = Callable[[str, str], Gate]
"""The gate of a method and a path; of those that no route has ``Gate(UNKNOWN_ROUTE, None)``."""


@dataclass
class Access:
    """Everything that is decided at the door.

    Attributes:
        keyring: the keys.
        names: what the server is called.
        find_gate: what each route demands.
        log: where a line about each request goes.
        notice: who may use the server, in a sentence for whoever starts it.
    """

    keyring: Keyring
    names: Names
    find_gate: FindGate
    limits: Limits = field(default_factory=Limits)
    log: AccessLog = field(default_factory=lambda: AccessLog(quiet=True))
    buckets: TokenBuckets = field(default_factory=TokenBuckets)
    notice: str = ""

    def wrap(self, app: App) -> App:
        """The application behind the door."""
        return _Door(self, app)

    def close(self) -> None:
        """Stop watching the keys; write what waits for the log."""
        self.keyring.stop()
        self.log.close()

    def judge_caller(self, scope: Any, gate: Gate) -> str | None:
        """Id of the key that a request comes with; None where none is needed.

        Raises:
            TurnedAway: no key, a wrong one, one that may not do this, or too often.
        """
        if gate.scope == "open":
            return None
        presented = _presented_key(scope["headers"])
        known = self.keyring.look_up(presented)
        if known.verdict == "open":
            return None
        if known.verdict == "unavailable":
            raise TurnedAway(_AWAY)
        if known.entry is None:
            raise TurnedAway(_unauthorized(scope["headers"], presented is not None))
        entry = known.entry
        if entry.per_minute is not None:
            wait = self.buckets.take(entry.key_id, entry.per_minute, entry.burst or 1)
            if wait:
                seconds = [(b"retry-after", str(wait).encode())]
                raise TurnedAway(Turned(429, "rate_limited", _SLOW_DOWN.format(wait=wait), seconds))
        if gate.scope is not None and not allows(entry, gate.scope):
            raise TurnedAway(Turned(403, "forbidden", f"This needs a key with the scope '{gate.scope}'."))
        return entry.key_id


def open_access(
    ledger_url: str | None,
    find_gate: FindGate,
    *,
    host: str = "127.0.0.1",
    no_auth: bool = False,
    allow_hosts: Sequence[str] = (),
    limits: Limits | None = None,
    log_file: Path | None = None,
    log_texts: LogTexts = "off",
    say: Callable[[str], None] = lambda _: None,
) -> Access:
    """The door of a server that is about to be bound to `host`; its keys are watched from now on.

    Args:
        ledger_url: the ledger that keeps the keys; it need not exist.
        no_auth: demand no key although there are some; on loopback only.
        allow_hosts: names besides the address, by which others call the server.
        say: told what whoever runs the server should know.

    Raises:
        UsageError: beyond loopback without a key that is good, or with `no_auth`.
        EnvironmentFault, CorruptError: the keys or the log cannot be opened.
    """
    names = Names(host, allow_hosts)
    keyring = Keyring(None if no_auth else ledger_url, say=say)
    keyring.start()
    try:
        notice = check_bind(host, keyring, no_auth=no_auth)
        log = AccessLog(log_file, texts=log_texts)
    except BaseException:
        keyring.stop()
        raise
    return Access(keyring, names, find_gate, limits or Limits(), log, notice=notice)


def check_bind(host: str, keyring: Keyring, *, no_auth: bool) -> str:
    """Whether a server may be bound to an address, and who may use it then.

    Raises:
        UsageError: it could be used by anybody on the network.
    """
    if is_loopback(host):
        if keyring.closed:
            return "A key is demanded (provetune keys list shows which there are)."
        return "Open to everybody on this machine: there is no key yet (provetune keys create)."
    if no_auth:
        raise UsageError(
            f"Without keys a server stays on this machine; {host} can be reached from others.",
            hint="Leave out --no-auth, or bind to 127.0.0.1.",
        )
    if not keyring.usable:
        raise UsageError(
            f"{host} can be reached from other machines, and there is no key that is good.",
            hint="Make one first: provetune keys create --name WHO.",
        )
    return "A key is demanded. Keys and texts travel in the clear: put TLS in front."


class _Door:
    """The ASGI application that stands in front of another."""

    def __init__(self, access: Access, app: App) -> None:
        self._access, self._app = access, app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await _Visit(self._access, self._app, scope, send).go(receive)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1008})


class _Visit:
    """One request on its way through the door."""

    def __init__(self, access: Access, app: App, scope: Any, send: Any) -> None:
        self._access, self._app, self._scope, self._send_on = access, app, scope, send
        self._began, self._moment = time.perf_counter(), time.time()
        self._gate = access.find_gate(scope["method"], scope["path"])
        self._id = os.urandom(8).hex()
        self._status = 0
        self._key_id: str | None = None
        self._error: str | None = None
        self._body: bytes | None = None
        self._withheld = False

    async def go(self, receive: Any) -> None:
        try:
            await self._answer(receive)
        except TurnedAway as turned:
            self._error = turned.reason.type
            await answer(self._send, turned.reason, head=self._scope["method"] == "HEAD")
        except Gone:
            self._error = "client_gone"
        except Exception as error:  # noqa: BLE001 - the boundary to the world: what is wrong inside stays inside
            await self._broke(error)
        finally:
            self._tell()

    async def _answer(self, receive: Any) -> None:
        refused = self._access.names.judge(self._scope["headers"], self._scope["method"])
        if refused is not None:
            raise TurnedAway(refused)
        self._key_id = self._access.judge_caller(self._scope, self._gate)
        self._scope.setdefault("state", {}).update(request_id=self._id, key_id=self._key_id)
        if has_body(self._scope):
            self._body = await read_body(self._scope, receive, self._access.limits)
            check_json(self._body, self._access.limits)
            receive = replayed(self._body, receive)
        await self._app(self._scope, receive, self._send)
        if self._withheld:
            await self._say_broken()

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            # A framework's own words for a fault, in a form of its own: ours are sent in their place.
            self._withheld = message["status"] == 500 and not _is_json(message.get("headers", ()))
        if self._withheld:
            return
        if message["type"] == "http.response.start":
            self._status = message["status"]
            message = {**message, "headers": with_security(message.get("headers", ()), self._id)}
        await self._send_on(message)

    async def _broke(self, error: Exception) -> None:
        # The type and the line, not the message: it may quote what the caller sent.
        self._error = f"{type(error).__name__} at {place_of(error)}"
        if self._status:
            raise ConnectionAbortedError(f"request {self._id} broke off") from None
        await self._say_broken()

    async def _say_broken(self) -> None:
        self._withheld = False
        message = f"The server failed. Whoever runs it finds request {self._id} in the log."
        await answer(self._send, Turned(500, "internal", message), head=self._scope["method"] == "HEAD")

    def _tell(self) -> None:
        body = self._body if self._access.log.texts == "masked" and self._gate.scope == "predict" else None
        self._access.log.write(
            Line(
                moment=self._moment,
                request_id=self._id,
                key_id=self._key_id,
                method=self._scope["method"] if self._scope["method"] in _METHODS else "other",
                route=self._gate.route,
                status=self._status,
                milliseconds=(time.perf_counter() - self._began) * 1000,
                error=self._error,
                body=body,
            )
        )


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _is_json(headers: Any) -> bool:
    return any(name.lower() == b"content-type" and value.startswith(b"application/json") for name, value in headers)


def _presented_key(headers: Any) -> str | None:
    """The key that a request brings: as a bearer token, as ``X-API-Key``, or as the password that a browser asked for.

    A request that brings two brings none.
    """
    found = []
    for name, value in headers:
        if name == b"authorization":
            scheme, _, rest = value.decode("latin-1").partition(" ")
            found.append(_password(rest) if scheme.lower() == "basic" else rest.strip())
        elif name == b"x-api-key":
            found.append(value.decode("latin-1").strip())
    return None if not found else found[0] if len(found) == 1 else ""


def _password(encoded: str) -> str:
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _unauthorized(headers: Any, presented: bool) -> Turned:
    # A browser that opens the page asks its user for the key: any name, the key as the password.
    person = any(name == b"accept" and b"text/html" in value for name, value in headers)
    challenge = b'Basic realm="Provetune: the key is the password", charset="UTF-8"' if person else b"Bearer"
    message = "This key is not good (any more)." if presented else "A key is needed: Authorization: Bearer KEY."
    return Turned(401, "unauthorized", message, [(b"www-authenticate", challenge)])
