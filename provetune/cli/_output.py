"""How every verb speaks: one JSON document or readable text on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

_WIDTH_OF_A_FILE = 120


def print_json(document: Any) -> None:
    """Print one JSON document. Not-a-number, which is not JSON, becomes null."""
    sys.stdout.write(json.dumps(_plain(document), indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_text(text: str) -> None:
    """Print text on stdout as it stands."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")
    sys.stdout.flush()


def print_note(text: str) -> None:
    """Print a remark on stderr, where it does not disturb what another program reads."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def print_written(paths: Iterable[Path]) -> None:
    """Name the files that were written, on stderr."""
    for path in paths:
        print_note(f"Wrote {path}.")


def console(*, stderr: bool = False) -> Console:
    """A terminal to draw on; plain text without colours, and wider, when it is a file or a pipe."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, highlight=False, width=None if stream.isatty() else _WIDTH_OF_A_FILE)


@contextmanager
def logs_on_stderr(active: bool) -> Iterator[None]:
    """While `active`, whatever a library prints goes to stderr, so that stdout stays one JSON document."""
    if not active:
        yield
        return
    with redirect_stdout(sys.stderr):
        yield


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        return _plain(value.item())
    return str(value) if hasattr(value, "__fspath__") else value
