"""Below HTTP: slow loris, heads that are too large or none, and what the server tells of itself. Real sockets."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import pytest
from door_app import door, door_app
from page_server import running

from provetune.serving.limits import Limits

LIMITS = Limits(header_seconds=0.6, body_seconds=0.8, header_bytes=4096, body_bytes=10_000)
GET = b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
POST = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with running(door_app(), door(None, limits=LIMITS), LIMITS) as url:
        yield int(url.rpartition(":")[2])


def send(port: int, *pieces: bytes, pause: float = 0.0, shut: bool = False) -> bytes:
    """What the server says to bytes that are sent with pauses, until it closes or is silent for two seconds."""
    with socket.create_connection(("127.0.0.1", port), timeout=3) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause)
            if shut:
                connection.shutdown(socket.SHUT_WR)
            return _read(connection)
        except ConnectionError:
            return b""


def _read(connection: socket.socket) -> bytes:
    found = b""
    connection.settimeout(2)
    try:
        while piece := connection.recv(65536):
            found += piece
    except (TimeoutError, ConnectionError):
        return found
    return found


def error_of(answer: bytes) -> tuple[int, str]:
    """Status and type of the first answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    (length,) = [int(line.split()[1]) for line in head.lower().splitlines() if line.startswith(b"content-length:")]
    return int(head.split()[1]), json.loads(body[:length])["error"]["type"]


def test_a_head_that_comes_letter_by_letter_is_cut_off(port: int) -> None:
    began = time.monotonic()
    answer = send(port, *[GET[place : place + 1] for place in range(30)], pause=0.05)
    assert not answer or error_of(answer) == (408, "timeout")
    assert time.monotonic() - began < 5
    # Nor does silence hold a connection, from its beginning or in its second request.
    assert error_of(send(port)) == (408, "timeout")
    second = send(port, GET, GET[:20])
    assert second.count(b"HTTP/1.1 200") == 1
    assert second.count(b"HTTP/1.1 408") == 1


def test_many_slow_callers_keep_nobody_out(port: int) -> None:
    slow = [socket.create_connection(("127.0.0.1", port), timeout=3) for _ in range(200)]
    for connection in slow:
        connection.sendall(POST)
    assert b"HTTP/1.1 200" in send(port, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    time.sleep(1.2)
    for connection in slow:
        assert _read(connection).startswith(b"HTTP/1.1 408")
        connection.close()


def test_a_body_that_comes_slowly_is_cut_off(port: int) -> None:
    began = time.monotonic()
    answer = send(port, POST + b"Content-Length: 100\r\n\r\n", *[b"1"] * 20, pause=0.05)
    assert not answer or error_of(answer) == (408, "timeout")
    assert time.monotonic() - began < 5


def test_a_body_in_tiny_chunks_is_a_body(port: int) -> None:
    chunks = b"".join(b"1\r\n%c\r\n" % letter for letter in b'{"input": "x"}') + b"0\r\n\r\n"
    head = POST + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = send(port, head, *[chunks[place : place + 1] for place in range(len(chunks))], pause=0.001)
    assert b"HTTP/1.1 200" in answer
    assert b'{"bytes":14,' in answer


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (POST + b"Content-Length: 10001\r\n\r\n", (413, "too_large")),
        (POST + b"Content-Length: 99999999999999999999\r\n\r\n", (400, "")),
        (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", (400, "bad_request")),
        (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (400, "invalid_length")),
        (POST + b"Content-Length: -5\r\n\r\n", (400, "bad_request")),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", (400, "bad_request")),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", (408, "timeout")),
        (POST + b"Transfer-Encoding: gzip\r\n\r\n", (501, "")),
        (b"GET / HTTP/1.1\r\n\r\n", (400, "bad_request")),
        (b"GET / HTTP/1.0\r\n\r\n", (403, "forbidden_host")),
        (b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", (403, "forbidden_host")),
        (b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", (403, "forbidden_host")),
        (b"GET /\x00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", (400, "bad_request")),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nA\x00: b\r\n\r\n", (400, "bad_request")),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nBad Header\r\n\r\n", (400, "bad_request")),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 5000, (400, "bad_request")),
        (b"GET /" + b"a" * 5000, (400, "bad_request")),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", (400, "bad_request")),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (403, "forbidden_host")),
        (b"\r\n\r\n\r\n\r\n", (400, "bad_request")),
    ],
)
def test_what_is_no_request_is_answered_in_one_form_or_closed(
    port: int, sent: bytes, expected: tuple[int, str]
) -> None:
    answer = send(port, sent)
    if answer:
        status, kind = error_of(answer)
        assert 400 <= status < 502
        assert status == expected[0] or not expected[1]
        assert kind == expected[1] or not expected[1]
    assert b"Traceback" not in answer
    assert b"HTTP/1.1 200" in send(port, GET)  # and the server lives


def test_the_server_does_not_say_what_it_is_made_of(port: int) -> None:
    answer = send(port, GET).lower()
    assert b"server:" not in answer
    assert b"uvicorn" not in answer
    assert b"x-content-type-options: nosniff" in answer


def test_headers_of_a_proxy_are_not_believed(port: int) -> None:
    forged = GET.replace(b"\r\n\r\n", b"\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n")
    assert b"HTTP/1.1 200" in send(port, forged)
    forged = GET.replace(b"Host: 127.0.0.1", b"Host: evil.example\r\nX-Forwarded-Host: 127.0.0.1")
    assert b"HTTP/1.1 403" in send(port, forged)


def test_a_websocket_is_not_spoken(port: int) -> None:
    upgrade = (
        b"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: YQ==\r\n\r\n"
    )
    assert b" 101 " not in send(port, GET.replace(b"\r\n\r\n", upgrade))
