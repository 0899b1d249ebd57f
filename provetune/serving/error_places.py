"""What a log may hold of an error that came while a request was answered: its kind and its lines, never its words.

An exception's message may quote what the caller sent, and a text belongs into no log.
"""

from __future__ import annotations

from pathlib import Path


def place_of(error: BaseException) -> str:
    """File and line at which it was raised."""
    return _places(error)[-1]


def kind_and_places(error: BaseException, most: int = 6) -> str:
    """Its kind and the last lines on the way to it, the innermost first: ``ValueError at a.py:3 < b.py:17``."""
    return f"{type(error).__name__} at {' < '.join(reversed(_places(error)[-most:]))}"


def _places(error: BaseException) -> list[str]:
    found, trace = [], error.__traceback__
    while trace is not None:
        found.append(f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return found or ["?"]
