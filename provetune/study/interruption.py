"""Ctrl-C and a termination signal, in any phase: one line, exit code 130, work that can be resumed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from provetune.core.errors import Interrupted


@contextmanager
def interruptible(hint: str) -> Iterator[None]:
    """Inside the block SIGTERM acts like Ctrl-C, and both become `Interrupted`.

    Signals reach a process's main thread only; elsewhere nothing is changed.

    Args:
        hint: how to go on, one sentence.

    Raises:
        Interrupted: the block was interrupted.
    """
    handles = threading.current_thread() is threading.main_thread()
    previous = signal.signal(signal.SIGTERM, _as_interrupt) if handles else None
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted("Interrupted; finished work is kept.", hint=hint) from None
    finally:
        if handles:
            signal.signal(signal.SIGTERM, previous if previous is not None else signal.SIG_DFL)


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
