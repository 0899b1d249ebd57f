"""Changing what is served while it is served: load again, promote, roll back."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from provetune.core.errors import ProvetuneError, UsageError
from provetune.core.suggest import advice
from provetune.serving.exchange import read_object
from provetune.serving.faults import Fault, invalid
from provetune.serving.service import Service


def router(service: Service) -> APIRouter:
    """The admin addresses."""
    found = APIRouter()

    @found.post("/v1/admin/reload")
    async def reload(request: Request) -> Any:
        """Load a bundle's folder again; what is served until then goes on. Body: ``{"model": NAME}``."""
        asked = _fields(await request.body(), {"model": str})
        lane = await _done(service.reload(asked.get("model") or "production"))
        return {"model": lane.description.name, "state": lane.state(), "engine": lane.engine}

    @found.post("/v1/admin/promote")
    async def promote(request: Request) -> Any:
        """Give an alias to a bundle. Body: ``{"alias": "production", "model": NAME, "share": 1.0}``; a model of null
        takes the alias away."""
        asked = _fields(await request.body(), {"alias": str, "model": str, "share": (int, float)})
        if "model" not in asked:
            raise invalid("model must be a name, or null to take the alias away.")
        share = float(asked["share"]) if asked.get("share") is not None else 1.0
        return {"aliases": await _done(service.promote(asked.get("alias") or "production", asked["model"], share))}

    @found.post("/v1/admin/rollback")
    async def rollback(request: Request) -> Any:
        """Let an alias mean what it meant before. Body: ``{"alias": "production"}``."""
        asked = _fields(await request.body(), {"alias": str})
        return {"aliases": await _done(service.rollback(asked.get("alias") or "production"))}

    return found


def health_router(service: Service) -> APIRouter:
    """Health, figures and what is served."""
    found = APIRouter()

    @found.get("/health/live")
    async def live() -> Any:
        return {"status": "live"}

    @found.get("/health/ready")
    async def ready(response: Response) -> Any:
        """200 where every bundle answers, else 503. A worker that is stuck or being replaced is not ready."""
        if service.ready():
            return {"status": "ready"}
        response.status_code = 503
        return {"status": "draining" if service.draining else "not_ready"}

    @found.get("/v1/models")
    async def models() -> Any:
        """Every bundle, what it takes and gives, and the aliases."""
        states = service.states()
        data = [
            {**lane.description.to_json(), "state": states[name], "engine": lane.engine}
            for name, lane in service.lanes.items()
        ]
        return {"object": "list", "data": data, "aliases": service.aliases()}

    @found.get("/metrics")
    async def metrics() -> Response:
        return Response(service.measures.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    return found


def _fields(body: bytes, kinds: dict[str, Any]) -> dict[str, Any]:
    """The fields of a body.

    Raises:
        Fault: one is unknown, or has no such value.
    """
    document = read_object(body) if body.strip() else {}
    for name, value in document.items():
        if name not in kinds:
            raise invalid(f"There is no field '{name[:80]}'. {advice(name[:80], list(kinds))}")
        if value is not None and (isinstance(value, bool) or not isinstance(value, kinds[name])):
            raise invalid(f"{name} must be {'a number' if name == 'share' else 'a text'}.")
    return document


async def _done(work: Any) -> Any:
    """What came of it; an error of ours as the caller is told it, without places on this machine."""
    try:
        return await work
    except UsageError as error:
        raise invalid(_without_place(error)) from error
    except ProvetuneError as error:
        raise Fault(409, "refused", _without_place(error)) from error


def _without_place(error: ProvetuneError) -> str:
    return " ".join(part for part in (error.message, error.hint) if part)
