"""Clients of a server on this machine: each asks, waits for the answer, and asks again, on one connection.

Plain sockets and asyncio: a client library would take as much of two cores as the servers that are measured.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from typing import Any


class Asked:
    """What came of asking.

    Attributes:
        seconds: of every answer with status 200.
        statuses: how many answers of each status; 0 for a connection that broke.
        lasted: seconds in all.
    """

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.statuses: dict[int, int] = {}
        self.lasted = 0.0

    def told(self, status: int) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1

    def figures(self) -> dict[str, Any]:
        """Throughput, latency in milliseconds, and what was no answer."""
        found = sorted(self.seconds)

        def at(share: float) -> float:
            return 1000 * found[min(len(found) - 1, int(share * len(found)))] if found else float("nan")

        errors = sum(count for status, count in self.statuses.items() if status != 200)
        return {
            "per_second": len(found) / self.lasted,
            "p50_ms": at(0.5),
            "p95_ms": at(0.95),
            "p99_ms": at(0.99),
            "errors": errors,
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
        }


def ask(port: int, path: str, bodies: Sequence[Any], *, clients: int, seconds: float) -> Asked:
    """Let so many clients ask for a time; the bodies in turn."""
    return asyncio.run(_ask(port, path, bodies, clients, seconds))


async def _ask(port: int, path: str, bodies: Sequence[Any], clients: int, seconds: float) -> Asked:
    requests = [_request(port, path, json.dumps(body).encode()) for body in bodies]
    found = Asked()
    began = time.perf_counter()
    until = began + seconds
    await asyncio.gather(
        *(_one(port, requests[number:] + requests[:number], until, found) for number in range(clients))
    )
    found.lasted = time.perf_counter() - began
    return found


async def _one(port: int, requests: Sequence[bytes], until: float, found: Asked) -> None:
    number = 0
    reader = writer = None
    while time.perf_counter() < until:
        try:
            if writer is None:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            began = time.perf_counter()
            writer.write(requests[number % len(requests)])
            status, closes = await _answer(reader)
        except (OSError, asyncio.IncompleteReadError):
            found.told(0)
            writer = None
            await asyncio.sleep(0.01)
            continue
        found.told(status)
        if status == 200:
            found.seconds.append(time.perf_counter() - began)
        number += 1
        if closes:
            writer.close()
            writer = None
    if writer is not None:
        writer.close()


async def _answer(reader: Any) -> tuple[int, bool]:
    """Status of an answer that was read whole, and whether the connection ends with it."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    fields = dict(line.split(b":", 1) for line in head.split(b"\r\n")[1:] if b":" in line)
    if b"content-length" in fields:
        await reader.readexactly(int(fields[b"content-length"]))
    else:  # in pieces, each with its length
        while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
            await reader.readexactly(size + 2)
        await reader.readexactly(2)
    return int(head.split()[1]), b"close" in fields.get(b"connection", b"")


def _request(port: int, path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
    return head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body
