"""Which requests a share of the traffic consists of.

The same request always falls on the same side, on every server: what decides is a checksum of its bytes, not chance.
"""

from __future__ import annotations

import zlib

_ALL = 1 << 32


def falls_in(share: float, body: bytes, salt: int = 0) -> bool:
    """Whether a request belongs to a share of all.

    Args:
        share: from 0 to 1.
        body: the request's bytes.
        salt: another one draws independently, so that the shadow's share is not that of the canary.
    """
    if share <= 0.0:
        return False
    return share >= 1.0 or _mix(zlib.crc32(body, salt)) < share * _ALL


def _mix(value: int) -> int:
    """Spread a checksum's bits: bodies that differ in their last letters have neighbouring checksums otherwise."""
    value = (value ^ (value >> 16)) * 0x7FEB352D % _ALL
    value = (value ^ (value >> 15)) * 0x846CA68B % _ALL
    return value ^ (value >> 16)
