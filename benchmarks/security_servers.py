"""Servers that are tried, and ways to send them what no well-meant client would."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests")]

SECRET = "the-word-that-must-not-come-out"

# Run by every Python process with its folder on PYTHONPATH: it tells that it began, and whom it connects to.
WATCHING = """
import os, sys
_place = os.environ.get("WATCHED_CONNECTS")
def _tell(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        with open(_place, "a") as stream:
            stream.write(f"{os.getpid()} {event} {arguments[1:] or arguments}\\n")
if _place:
    with open(_place, "a") as stream:
        stream.write(f"{os.getpid()} begins\\n")
    sys.addaudithook(_tell)
"""


def outside_of(place: Path) -> Path:
    """A word that must not come out, and a whole bundle, both beside the library that bundles may come from."""
    from served import write_plain_bundle

    (place / "library").mkdir()
    (place / "secret.txt").write_text(SECRET)
    return write_plain_bundle(place / "outside")


def bundle_of(place: Path) -> Path:
    from served import write_plain_bundle

    folder = place / "plain"
    return folder if folder.exists() else write_plain_bundle(folder)


@contextmanager
def server(
    place: Path, *words: str, env: dict[str, str] | None = None
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`provetune serve` with the plain bundle; gives its host and port, and the process."""
    from served import real_server

    with real_server(place, str(bundle_of(place)), *words, "--log-file", os.devnull, env=env) as found:
        yield urlsplit(found.url).netloc, found.process


def refused(place: Path, bundle: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """What `provetune serve` says that does not start."""
    command = [sys.executable, "-c", "from provetune.cli.main import main; main()", "serve", str(bundle), "--port", "0"]
    command += ["--workspace", str(place / ".provetune"), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def make_key(place: Path, *scopes: str) -> str:
    """A new key of the servers below a place."""
    from provetune.ledger.api_keys import KeyBook
    from provetune.serving.keys import make_key as make

    made = make("bench", scopes or ("predict", "read", "admin"))
    (place / ".provetune").mkdir(exist_ok=True)
    with KeyBook(place / ".provetune" / "ledger.sqlite") as book:
        book.add(made.entry)
    return made.text


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


class Line:
    """A connection that is kept, and opened again where the server has closed it."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=30)

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None, chunks: int = 0
    ) -> Any:
        """Status and body of the answer; status 0 where there was none."""
        for again in (True, False):
            try:
                return self._once(method, path, body, headers or {}, chunks)
            except (http.client.HTTPException, OSError):
                self._connection.close()
                if not again:
                    return 0, b""
        return 0, b""

    def _once(self, method: str, path: str, body: bytes, headers: dict[str, str], chunks: int) -> tuple[int, bytes]:
        sent: Any = body
        if chunks and len(body) // chunks < 3000:
            sent = (body[start : start + chunks] for start in range(0, len(body), chunks))
        # Written by hand: http.client refuses what is to be tried here.
        one = self._connection
        one.putrequest(method, as_target(path), skip_host="Host" in headers, skip_accept_encoding=True)
        for name, each in headers.items():
            one.putheader(name, each.encode("latin-1", "replace"))
        if sent is body:
            one.putheader("Content-Length", str(len(body)))
        else:
            one.putheader("Transfer-Encoding", "chunked")
        with suppress(BrokenPipeError, ConnectionResetError):  # it may answer before all was sent
            one.endheaders(sent, encode_chunked=sent is not body)
        answer = one.getresponse()
        return answer.status, answer.read()

    def close(self) -> None:
        self._connection.close()


def as_target(path: str) -> str:
    """A path that a request's first line can hold; what is escaped already stays."""
    return quote(path, safe="/%?=&;:@~.\\")


def ask(
    address: str, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    """One request on a connection of its own."""
    line = Line(address)
    try:
        found: tuple[int, bytes] = line.ask(method, path, body, headers)
        return found
    finally:
        line.close()


def models_of(address: str) -> Any:
    return sorted(each["id"] for each in json.loads(ask(address, "GET", "/v1/models")[1])["data"])


def watch(place: Path, code: str, variable: str) -> dict[str, str]:
    """An environment in which every Python process runs some code first, and is told a file to write to."""
    folder = place / "watching"
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(code)
    return {"PYTHONPATH": os.pathsep.join([str(folder), *sys.path[:2]]), variable: str(place / "watched")}


@contextmanager
def canary() -> Iterator[tuple[int, list[Any]]]:
    """A port that waits for callers; the port, and who called."""
    callers: list[Any] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def listen() -> None:
            while True:
                try:
                    connection, who = listener.accept()
                except OSError:
                    return
                callers.append(who)
                connection.close()

        threading.Thread(target=listen, daemon=True).start()
        yield listener.getsockname()[1], callers
