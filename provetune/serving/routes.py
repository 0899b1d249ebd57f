"""Every address of the service in one table: what a caller must be allowed to do there, and what it is for.

The application is built from this table and the access check reads it, so no address can be forgotten by one of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Scope: TypeAlias = Literal["open", "predict", "read", "admin"]
"""``open`` needs no key. The others are what a key must have been given."""


@dataclass(frozen=True)
class Route:
    """One method of one address.

    Attributes:
        scope: what a key must be allowed.
        summary: one line for the OpenAPI document.
        body: whether a request has a body.
    """

    method: str
    path: str
    scope: Scope
    summary: str
    body: bool = False


ROUTES: tuple[Route, ...] = (
    Route("POST", "/v1/predict", "predict", "Answer one item or many.", body=True),
    Route("POST", "/v1/chat/completions", "predict", "Answer a conversation, as OpenAI's interface has it.", body=True),
    Route("POST", "/v1/embeddings", "predict", "Vectors of texts, as OpenAI's interface has them.", body=True),
    Route("GET", "/v1/models", "read", "The bundles that are served, and the aliases."),
    Route("GET", "/metrics", "read", "Figures for Prometheus."),
    Route("GET", "/openapi.json", "read", "This interface, described."),
    Route("GET", "/health/live", "open", "Whether the server runs."),
    Route("GET", "/health/ready", "open", "Whether every bundle answers."),
    Route("GET", "/", "read", "A page to try the bundles."),
    Route("POST", "/v1/admin/reload", "admin", "Load a bundle's folder again.", body=True),
    Route("POST", "/v1/admin/promote", "admin", "Give an alias to a bundle.", body=True),
    Route("POST", "/v1/admin/rollback", "admin", "Give an alias back to the bundle that had it before.", body=True),
)

_BY_PLACE = {(route.method, route.path): route for route in ROUTES}
_SCOPES = {route.path: route.scope for route in ROUTES}


def route_of(method: str, path: str) -> Route | None:
    """The route of a request; HEAD counts as GET. None where there is none."""
    return _BY_PLACE.get(("GET" if method == "HEAD" else method, path))


def scope_of(method: str, path: str) -> Scope:
    """What a key must be allowed for a request; ``admin`` where no such address exists, so that a stranger learns
    nothing about which exist."""
    route = route_of(method, path)
    return route.scope if route is not None else _SCOPES.get(path, "admin")
