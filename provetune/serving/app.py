"""The service as an ASGI application.

FastAPI serves what is asked seldom and describes all of it; the three addresses that answer items are plain ASGI and
come before it. Whoever guards the door wraps all of that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from provetune.serving.describing_api import document
from provetune.serving.exchange import Receive, Scope, Send
from provetune.serving.faults import Fault
from provetune.version import __version__

if TYPE_CHECKING:
    from fastapi import FastAPI

    from provetune.serving.service import Service

Application: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]


class Door(Protocol):
    """What decides who is let in, e.g. `provetune.serving.access.Access`."""

    def wrap(self, app: Application) -> Application:
        """The application behind the door."""


class Served:
    """The whole application.

    Attributes:
        fastapi: the part that is described.
    """

    def __init__(self, fastapi: FastAPI, quick: dict[str, Application]) -> None:
        self.fastapi, self._quick = fastapi, quick

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            found = self._quick.get(scope["path"])
            if found is not None:
                await found(scope, receive, send)
                return
        await self.fastapi(scope, receive, send)


def create_app(service: Service, access: Door | None = None, page: bool = True) -> Application:
    """The application of a service.

    Args:
        access: stands in front of everything; nobody is asked for a key when left out.
        page: serve the page at ``/``.
    """
    from provetune.serving.openai import ChatCompletions, Embeddings
    from provetune.serving.predicting import Predict

    quick: dict[str, Application] = {
        "/v1/predict": Predict(service),
        "/v1/chat/completions": ChatCompletions(service),
        "/v1/embeddings": Embeddings(service),
    }
    served = Served(create_described(service, page=page, quick=quick), quick)
    return served if access is None else access.wrap(served)


def create_described(service: Service, *, page: bool, quick: dict[str, Application]) -> FastAPI:
    """The FastAPI part: health, models, figures, administration, the page and the document of all of it."""
    from fastapi import FastAPI, Request, Response
    from fastapi.openapi.utils import get_openapi
    from starlette.exceptions import HTTPException
    from starlette.routing import Route

    from provetune.serving.admin import health_router, router

    app = FastAPI(title="Provetune", version=__version__, docs_url=None, redoc_url=None)
    app.include_router(health_router(service))
    app.include_router(router(service))
    # So that other methods of these addresses are answered with 405.
    app.router.routes.extend(Route(path, found, methods=["POST"]) for path, found in quick.items())
    if page:
        from provetune.serving.page import router as page_router

        app.include_router(page_router(service))

    def describe() -> dict[str, Any]:
        base = get_openapi(title=app.title, version=app.version, routes=app.routes)
        return document(base, [lane.description for lane in service.lanes.values()])

    app.openapi = describe  # type: ignore[method-assign]

    @app.exception_handler(Fault)
    async def tell_fault(request: Request, fault: Fault) -> Response:
        headers = {name.decode(): value.decode() for name, value in fault.headers()}
        return Response(fault.body(), fault.status, headers, "application/json")

    @app.exception_handler(HTTPException)
    async def tell_http(request: Request, error: HTTPException) -> Response:
        kind = "not_found" if error.status_code == 404 else "http_error"
        fault = Fault(error.status_code, kind, str(error.detail))
        return Response(fault.body(), fault.status, error.headers, "application/json")

    return app
