"""What the shadow bundle would have said, counted and thrown away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from provetune.serving.faults import Fault
from provetune.serving.lane import Lane


async def compare(shadow: Lane, items: Sequence[Any], kind: Any, told: Sequence[bytes]) -> None:
    """Ask the shadow, and count whether the first key of its answers is what the caller was told.

    Args:
        told: the answers that the caller has had already.
    """
    try:
        ticket = shadow.submit(items, kind)
    except Fault:
        shadow.measures.shadow("dropped")
        return
    try:
        # What is not waited for any longer must leave the queue, so that the ticket itself stays whole until then.
        found = await asyncio.wait_for(asyncio.shield(ticket.future), shadow.settings.deadline_s)
    except TimeoutError:
        shadow.expire(ticket)
        shadow.measures.shadow("dropped")
        return
    except Fault:
        shadow.measures.shadow("failed")
        return
    key = shadow.description.answer_keys[0]
    for one, other in zip(found, told, strict=True):
        same = json.loads(one).get(key) == json.loads(other).get(key)
        shadow.measures.shadow("same" if same else "different")
