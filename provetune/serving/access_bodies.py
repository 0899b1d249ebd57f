"""Reading a request's body whole before anybody works on it: so much, in such a time, and plain JSON.

A slow or an endless body costs a buffer and a timer here, never a worker. What Python's reader takes although JSON
has no such thing (not-a-number, half a character) or what would break whoever writes it out again is refused too.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterable
from itertools import chain
from typing import Any, NoReturn

from provetune.serving.access_answers import Turned, TurnedAway
from provetune.serving.limits import Limits

Receive = Callable[[], Awaitable[Any]]

# Bytes without which a body holds none of what is refused; most bodies have none of them and are read once only.
_SUSPECT = re.compile(rb"NaN|Infinity|\\u[dD][89a-fA-F]|[eE]\+?\d{3}|(?<!\d)\d{300}")
_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Gone(Exception):
    """The caller hung up before the body was there."""


async def read_body(scope: Any, receive: Receive, limits: Limits) -> bytes:
    """The whole body of a request.

    Raises:
        TurnedAway: it is larger than allowed (413), comes too slowly (408), or says two things about its length (400).
        Gone: the caller hung up.
    """
    stated = _stated_length(scope["headers"])
    if stated is not None and stated > limits.body_bytes:
        raise TurnedAway(_too_large(limits))
    try:
        async with asyncio.timeout(limits.body_seconds):
            return await _collect(receive, limits)
    except TimeoutError:
        # The rest would come where the next request is expected.
        turned = Turned(408, "timeout", f"The body did not come within {limits.body_seconds:g} s.", [_CLOSE])
        raise TurnedAway(turned) from None


def replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives a body which was read already, and after it whatever comes."""
    given = False

    async def again() -> Any:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def has_body(scope: Any) -> bool:
    """Whether a request's body is to be read: one of a method that has none is left alone unless it is announced."""
    return scope["method"] in _WITH_BODY or any(
        name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"]
    )


def check_json(body: bytes, limits: Limits) -> None:
    """Refuse what is not JSON although it may look it.

    Raises:
        TurnedAway: not UTF-8, not-a-number, numbers that no double holds, lists within lists without end (400), a text
            that is too long (413), half a character (422). Other faults of form are left to whoever reads the body.
    """
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise TurnedAway(Turned(400, "invalid_json", f"The body is not UTF-8 (byte {error.start + 1}).")) from None
    brackets = body.count(b"[") + body.count(b"{") > limits.json_depth
    suspect = _SUSPECT.search(body) is not None
    # A letter is a byte at least.
    long = len(body) > limits.text_letters
    if not (brackets or suspect or long):
        return
    try:
        document = json.loads(body, **_STRICT) if suspect else json.loads(body)
        if suspect:
            json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        message = "A text holds half a character: it was cut inside an emoji. Remove that part."
        raise TurnedAway(Turned(422, "invalid_text", message)) from None
    except json.JSONDecodeError as error:
        message = f"The body is not JSON (line {error.lineno}, column {error.colno})."
        raise TurnedAway(Turned(400, "invalid_json", message)) from None
    except RecursionError:
        raise TurnedAway(_too_deep(limits)) from None
    if _is_deeper(document, limits.json_depth):
        raise TurnedAway(_too_deep(limits))
    if long and _longest(document) > limits.text_letters:
        raise TurnedAway(Turned(413, "too_large", f"A text may have {limits.text_letters:,} letters."))


_CLOSE = (b"connection", b"close")


def _too_large(limits: Limits) -> Turned:
    return Turned(413, "too_large", f"A body may have {limits.body_bytes:,} bytes.", [_CLOSE])


def _stated_length(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
    stated, chunked = set(), False
    for name, value in headers:
        if name == b"content-length":
            stated.add(value)
        chunked = chunked or name == b"transfer-encoding"
    if not stated:
        return None
    (value, *others) = stated
    # Two lengths, or a length beside chunks, are how a request is smuggled past whoever stands in front.
    if others or chunked or not re.fullmatch(rb"\d{1,18}", value):
        raise TurnedAway(Turned(400, "invalid_length", "A body has one length: Content-Length, or chunks.", [_CLOSE]))
    return int(value)


async def _collect(receive: Receive, limits: Limits) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        piece = message.get("body", b"")
        size += len(piece)
        if size > limits.body_bytes:
            raise TurnedAway(_too_large(limits))
        pieces.append(piece)
        if not message.get("more_body", False):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _is_deeper(document: Any, most: int) -> bool:
    """Whether lists and objects stand more than `most` deep within each other. Level by level: nothing is called
    within itself."""
    level = [document] if isinstance(document, list | dict) else []
    for _ in range(most):
        if not level:
            return False
        inner = chain.from_iterable(each.values() if isinstance(each, dict) else each for each in level)
        level = [each for each in inner if isinstance(each, list | dict)]
    return bool(level)


def _longest(document: Any) -> int:
    """Letters of the longest text within; the document is known not to be deep."""
    if isinstance(document, str):
        return len(document)
    if isinstance(document, dict):
        return max(map(_longest, chain(document.keys(), document.values())), default=0)
    return max(map(_longest, document), default=0) if isinstance(document, list) else 0


def _too_deep(limits: Limits) -> Turned:
    return Turned(400, "invalid_json", f"Lists and objects may stand {limits.json_depth} deep within each other.")


def _refuse_constant(name: str) -> NoReturn:
    raise TurnedAway(Turned(400, "invalid_json", f"{name} is not JSON."))


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise TurnedAway(Turned(400, "invalid_json", "A number is greater than any number can be."))
    return value


def _short(digits: str) -> int:
    if len(digits) > 300:
        raise TurnedAway(Turned(400, "invalid_json", "A number has more digits than any number can have."))
    return int(digits)


_STRICT: dict[str, Any] = {"parse_constant": _refuse_constant, "parse_float": _finite, "parse_int": _short}
