"""What the door demands of each route: the table of routes, and the files of the page."""

from __future__ import annotations

from provetune.serving.access import UNKNOWN_ROUTE, Gate
from provetune.serving.page import FILES
from provetune.serving.routes import ROUTES, scope_of

_PATHS = frozenset(route.path for route in ROUTES)


def find_gate(method: str, path: str) -> Gate:
    """The gate of a request. Where there is no such route any key will do: its holder may be told so."""
    if path in FILES:
        return Gate(path, "read")
    return Gate(path, scope_of(method, path)) if path in _PATHS else Gate(UNKNOWN_ROUTE, None)
