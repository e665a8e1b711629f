"""The application: addresses, what guards them, and how errors are answered."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stsearch.errors import StsearchError
from stsearch.server import json_api, page, static
from stsearch.server.index_run import IndexRuns
from stsearch.server.replies import RequestError, json_error
from stsearch.server.security import BROWSER_HEADERS, Access, Guard
from stsearch.server.service import Service


def make_app(
    service: Service, access: Access, runs: IndexRuns | None = None, read_only: bool = False
) -> Starlette:
    """Return the ASGI application of a server.

    Args:
        service: with the galleries.
        access: who may ask.
        runs: of indexing.
        read_only: start none of them.
    """
    app = Starlette(
        routes=[*page.routes(), *json_api.routes(), Route("/static/{name}", static.answer)],
        middleware=[Middleware(Guard, access=access)],
        exception_handlers={
            StsearchError: _answer_error,
            HTTPException: _answer_http,
            Exception: _answer_bug,
        },
    )
    app.state.service, app.state.access = service, access
    app.state.runs, app.state.read_only = runs or IndexRuns(), read_only
    return app


async def _answer_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, StsearchError)  # as it is registered
    return json_error(error) if _is_program(request) else page.error_page(request, error)


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # as it is registered
    says = {404: "there is nothing at this address", 405: "this address takes other methods"}
    wrong = RequestError(error.status_code, says.get(error.status_code, error.detail))
    return json_error(wrong) if _is_program(request) else page.error_page(request, wrong)


async def _answer_bug(request: Request, error: Exception) -> Response:
    bug = RequestError(500, f"this is a bug in stsearch: {error!r}")
    request.app.state.service.notify(f"{request.url.path}: {bug}")
    answer = json_error(bug) if _is_program(request) else page.error_page(request, bug)
    answer.headers.update(BROWSER_HEADERS)  # it comes from outside of what adds them
    return answer


def _is_program(request: Request) -> bool:
    return request.url.path.startswith(("/api/", "/static/"))
