"""What a connection may do where llhttp reads it: as where h11 does."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from served import Server, real_server, write_plain_bundle


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("quick")
    with real_server(folder, str(write_plain_bundle(folder / "plain"))) as found:
        yield found


def exchange(server: Server, *pieces: bytes) -> bytes:
    """All that the server says to these bytes until it closes."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.05)
        found = b""
        try:
            while piece := connection.recv(65536):
                found += piece
        except ConnectionResetError:
            pass
        return found


@pytest.mark.parametrize(
    "pieces",
    [
        (b"GET /health/live HTTP/1.1\r\nhost: 127.0.0.1\r\nx: " + b"a" * 20_000 + b"\r\n\r\n",),
        (b"GET /health/live HTTP/1.1\r\nhost: 127.0.0.1\r\n", *[b"x: " + b"a" * 3000 + b"\r\n"] * 6),
        (b"GET /" + b"a" * 20_000,),
        (b"no request at all\r\n\r\n",),
        (b"POST /v1/predict HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",),
    ],
)
def test_what_is_no_fair_request_is_refused_and_closed(server: Server, pieces: tuple[bytes, ...]) -> None:
    found = exchange(server, *pieces)
    assert found.startswith(b"HTTP/1.1 400") or found == b""
    assert server.ready()


def test_requests_in_one_piece_are_answered_in_their_order(server: Server) -> None:
    host = server.url.removeprefix("http://").encode()
    one = b"GET /health/live HTTP/1.1\r\nhost: %s\r\n\r\n" % host
    last = b"GET /health/ready HTTP/1.1\r\nhost: %s\r\nconnection: close\r\n\r\n" % host
    found = exchange(server, one + last)
    assert [found.index(b'"live"') < found.index(b'"ready"'), found.count(b"HTTP/1.1 200")] == [True, 2]


def test_a_head_that_comes_letter_by_letter_is_not_waited_for(server: Server) -> None:
    began = time.monotonic()
    found = exchange(server, b"GET /health/live HT")
    assert found.startswith(b"HTTP/1.1 408")
    assert time.monotonic() - began < 15
    assert server.ready()


def test_the_page_of_figures_counts(server: Server, tmp_path: Path) -> None:
    assert server.predict("card").status_code == 200
    assert server.metric("provetune_requests_total", status="200") >= 1
