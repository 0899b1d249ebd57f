"""The page at ``/``: a form made from what a bundle takes, and its answer shown.

Plain HTML, CSS and JavaScript of our own, in files of this package. It asks this server alone, keeps nothing, and
knows of bundles what ``/v1/models`` tells. Its policy (`provetune.serving.access_answers`) forbids anything else.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastapi import APIRouter

FOLDER = Path(__file__).with_name("static")
_KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}

FILES = {f"/page/{name}": name for name in ("page.css", "page.js", "answers.js", "marks.js", "words.js")}
"""Addresses of the page's files, besides the page itself. They need what the page needs."""


def router(service: Any) -> APIRouter:
    """The addresses of the page.

    Args:
        service: what is served; the page asks for it by itself.
    """
    from fastapi import APIRouter

    found = APIRouter()
    for address, name in {"/": "page.html", **FILES}.items():
        found.add_api_route(address, _answer(name), methods=["GET", "HEAD"], include_in_schema=False)
    return found


def _answer(name: str) -> Any:
    from fastapi import Response

    content = (FOLDER / name).read_bytes()
    kind = _KINDS[Path(name).suffix]

    async def give() -> Response:
        return Response(content, media_type=f"{kind}; charset=utf-8", headers={"cache-control": "no-cache"})

    return give
