"""How the server and its workers talk: frames of a length and lines of JSON, over one socket of the two.

A frame is four bytes of length, big end first, then a line of JSON (the head) and further lines of JSON (the rows),
parted by line breaks. Answers go through the server as the bytes that they came as.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

MOST_BYTES = 1 << 28
_LENGTH = struct.Struct(">I")


class BrokenFrame(Exception):
    """What came is no frame."""


def encode(head: dict[str, Any], rows: Sequence[bytes] = ()) -> bytes:
    """A frame. Rows are JSON documents without line breaks."""
    body = b"\n".join((json.dumps(head).encode(), *rows))
    return _LENGTH.pack(len(body)) + body


def encode_row(value: Any) -> bytes:
    """One row of a frame; not-a-number, which is not JSON, becomes null."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except ValueError:
        # Half a character cannot be UTF-8, and infinite numbers are no JSON: the slow way deals with both.
        return json.dumps(_finite(value), allow_nan=False, separators=(",", ":")).encode()


def decode(body: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """Head and rows of a frame's body.

    Raises:
        BrokenFrame: the head is no JSON object.
    """
    head, *rows = body.split(b"\n")
    try:
        found = json.loads(head)
    except ValueError as error:
        raise BrokenFrame(f"the head of a frame is no JSON: {head[:60]!r}") from error
    if not isinstance(found, dict):
        raise BrokenFrame("the head of a frame is no object")
    return found, rows


class Cutter:
    """Cuts a stream of bytes into the bodies of frames."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._bytes = bytearray()
        self._most = most_bytes

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Bodies that are whole with these bytes.

        Raises:
            BrokenFrame: a frame says that it is larger than any is.
        """
        self._bytes += data
        while len(self._bytes) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._bytes)
            if length > self._most:
                raise BrokenFrame(f"a frame of {length} bytes")
            end = _LENGTH.size + length
            if len(self._bytes) < end:
                return
            body = bytes(self._bytes[_LENGTH.size : end])
            del self._bytes[:end]
            yield body


def read_frame(read: Callable[[int], bytes], most_bytes: int = MOST_BYTES) -> bytes | None:
    """The body of the next frame, by reading until it is whole; None at the end of the stream.

    Args:
        read: gives so many bytes at most, none at the end.

    Raises:
        BrokenFrame: the stream ends within a frame, or the frame is larger than any is.
    """
    start = _read_exactly(read, _LENGTH.size)
    if not start:
        return None
    (length,) = _LENGTH.unpack(start)
    if length > most_bytes:
        raise BrokenFrame(f"a frame of {length} bytes")
    body = _read_exactly(read, length)
    if len(body) < length:
        raise BrokenFrame("the stream ended within a frame")
    return body


def _read_exactly(read: Callable[[int], bytes], count: int) -> bytes:
    found = bytearray()
    while len(found) < count and (piece := read(count - len(found))):
        found += piece
    if found and len(found) < count:
        raise BrokenFrame("the stream ended within a frame")
    return bytes(found)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value
