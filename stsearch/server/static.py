"""The files of the page: scripts, styles, the icon."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from stsearch.pages import style_of
from stsearch.server.replies import KEPT, REVALIDATED, reply, tag_of

_FOLDER = Path(__file__).parent / "static"
_KINDS = {
    "app.js": "text/javascript",
    "viewer.js": "text/javascript",
    "htmx.min.js": "text/javascript",
    "icon.svg": "image/svg+xml",
    "style.css": "text/css",
    "served.css": "text/css",
}


async def answer(request: Request) -> Response:
    """Return a file of the page."""
    name = request.path_params["name"]
    if name not in _KINDS:
        raise HTTPException(404)
    body = _content(name)
    kept = KEPT if request.query_params.get("v") == version() else REVALIDATED
    return reply(request, body, _KINDS[name], tag_of(body), kept)


@cache
def version() -> str:
    """Return what changes with the files of the page; it stands in their addresses."""
    return hashlib.sha256(b"".join(map(_content, _KINDS))).hexdigest()[:12]


@cache
def _content(name: str) -> bytes:
    return style_of(name).encode() if name.endswith(".css") else (_FOLDER / name).read_bytes()
