"""The page: search, hits, one photograph, galleries; browsers get it whole, htmx in part."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from stsearch.errors import StsearchError
from stsearch.pages import render_served
from stsearch.server.ask import DEFAULT_TOP, MAX_TOP, PARAMETERS, Ask, read_ask, read_count
from stsearch.server.galleries_view import show_galleries
from stsearch.server.hit_views import advice_views, hit_views, summary_of
from stsearch.server.library import Answer
from stsearch.server.photo_view import show_photograph
from stsearch.server.replies import REVALIDATED, RequestError, reply, status_of, tag_of
from stsearch.server.security import CSRF_HEADER, Access
from stsearch.server.service import Service
from stsearch.server.static import version

if TYPE_CHECKING:
    from stsearch.server.index_run import IndexRuns

_TOPS = (60, 240, MAX_TOP)
"""So many hits are asked for as scrolling needs them: few sizes, so that answers are shared."""


def routes() -> list[Route]:
    """Return the addresses of the page."""
    return [
        Route("/", home),
        Route("/hits", more_hits),
        Route("/advice", advice),
        Route("/galleries", galleries),
        Route("/index", start_index, methods=["POST"]),
        Route("/favicon.ico", favicon),
    ]


async def home(request: Request) -> Response:
    """Answer with the page of a search, with the hits alone, or with one photograph, as htmx asks."""
    try:
        ask, hit = _asked(request), read_count("hit", request.query_params.get("hit", ""), 1, MAX_TOP)
        is_typed = request.headers.get("HX-Target") == "section#results"  # the next letter may follow at once
        wanted = replace(_with_top(ask, hit or 1), advice=not is_typed, explain=hit is not None)
        answer = None if ask.is_empty else await _service(request).search(wanted)
        shown = _results(request, ask, answer)
        viewer = await show_photograph(_service(request), ask, answer, hit) if answer and hit else None
        status = 200
    except StsearchError as error:
        ask, viewer, status = _as_typed(request), None, status_of(error)
        shown = {**_NOTHING, "error": str(error), "heading": ask.query}
    target = request.headers.get("HX-Target", "")
    if target == "dialog#viewer" and viewer:
        return _page(request, "viewer.html", status, viewer=viewer)
    if target == "section#results":
        return _page(request, "results.html", status, ask=ask, **shown)
    service = _service(request)
    return _page(
        request,
        "search.html",
        status,
        ask=ask,
        viewer=viewer,
        galleries=service.library.names,
        is_filtered=ask.is_narrowed,
        csrf=_access(request).csrf,
        version=version(),
        **shown,
    )


async def more_hits(request: Request) -> Response:
    """Answer with the hits that follow those that were scrolled through."""
    ask = _asked(request)
    start = read_count("start", request.query_params.get("start", ""), 1, MAX_TOP) or 1
    if "HX-Request" not in request.headers:  # somebody opened the link, without scripts
        return RedirectResponse(ask.url("/"), 303)
    answer = await _service(request).search(_with_top(ask, start))
    return _page(request, "more.html", 200, **_hits(ask, answer, start))


async def advice(request: Request) -> Response:
    """Answer with what would match where nothing does, which is asked for when nobody types any more."""
    ask = _asked(request)
    answer = await _service(request).search(_with_top(ask, 1))
    return _page(request, "advice.html", 200, **_advice(ask, answer))


async def galleries(request: Request) -> Response:
    """Answer with the galleries and the indexing run."""
    runs: IndexRuns = request.app.state.runs
    shown = await show_galleries(_service(request), runs.state)
    return _page(request, "galleries.html", 200, may_index=not request.app.state.read_only, **shown, error="")


async def start_index(request: Request) -> Response:
    """Start bringing a gallery up to date; answer with the galleries."""
    _access(request).check_csrf(request.headers.get(CSRF_HEADER, ""))
    if request.app.state.read_only:
        raise RequestError(403, "this server only reads: run stsearch index on the command line")
    async with request.form(max_files=0, max_fields=4) as form:
        name = str(form.get("gallery", ""))
    service, runs = _service(request), request.app.state.runs
    message, status = "", 200
    try:
        library = service.library
        photos, place = library.folder_of(name), library.gallery_folder_of(name)
        runs.start(name, photos, place, await service.weights_of(name))
    except StsearchError as error:
        message, status = str(error), status_of(error)
    shown = await show_galleries(service, runs.state)
    return _page(request, "galleries.html", status, may_index=True, **shown, error=message)


async def favicon(request: Request) -> Response:
    """Lead to the icon."""
    return RedirectResponse("/static/icon.svg", 308)


def error_page(request: Request, error: StsearchError) -> Response:
    """Return a page, or a part of one, that says what is wrong."""
    status = status_of(error)
    if "HX-Request" in request.headers:
        return HTMLResponse(render_served("notice.html", message=str(error)), status)
    body = render_served("error.html", status=status, message=str(error), csrf="", version=version())
    return HTMLResponse(body, status)


_NOTHING: dict[str, object] = {
    "error": "",
    "start": "",
    "heading": "",
    "summary": "",
    "remark": None,
    "is_special": False,
    "plain_url": "/",
    "hits": [],
    "more": None,
    "advice": [],
    "nearly": [],
    "later": None,
}


def _results(request: Request, ask: Ask, answer: Answer | None) -> dict[str, object]:
    if answer is None:
        names = ", ".join(_service(request).library.names)
        return {**_NOTHING, "start": f"Searching {names}. Type a word above, or drop a picture of one."}
    return {
        **_NOTHING,
        "heading": answer.text,
        "summary": summary_of(answer),
        "remark": answer.remark,
        "is_special": not ask.query,
        "plain_url": replace(ask, like="", picture="").url(),
        **_hits(ask, answer, 1),
        **(_advice(ask, answer) if answer.ask.advice else {"later": ask.url("/advice")}),
    }


def _advice(ask: Ask, answer: Answer) -> dict[str, object]:
    return {
        "advice": advice_views(ask, answer),
        "nearly": hit_views(ask, answer, answer.found.nearly),
        "later": None,
    }


def _hits(ask: Ask, answer: Answer, start: int) -> dict[str, object]:
    """Return the hits from a rank on, and where the following ones are."""
    end = next(top for top in _TOPS if top >= start)
    hits = answer.found.hits[start - 1 : end]
    is_more = end < MAX_TOP and answer.found.total > end
    return {
        "hits": hit_views(ask, answer, hits),
        "more": ask.url("/hits", start=end + 1) if is_more else None,
    }


def _with_top(ask: Ask, rank: int) -> Ask:
    """Return the same search with as many hits as are needed to show one of that rank."""
    return replace(ask, top=next(top for top in _TOPS if top >= rank), explain=False)


def _asked(request: Request) -> Ask:
    given = {name: request.query_params.getlist(name) for name in PARAMETERS}
    if any(text.strip() for text in given["q"]):  # what is typed replaces what is like a word or a picture
        given |= {"like": [], "picture": []}
    return replace(read_ask(given), top=DEFAULT_TOP, explain=False)


def _as_typed(request: Request) -> Ask:
    """Return the query alone, where the rest of what was asked for cannot be used."""
    return Ask(query=request.query_params.get("q", "")[:2000])


def _page(request: Request, template: str, status: int, **values: object) -> Response:
    body = render_served(template, **values).encode()
    if status != 200:
        return Response(body, status, {"Cache-Control": "no-store"}, media_type="text/html")
    answer = reply(request, body, "text/html", tag_of(body), REVALIDATED)
    answer.headers["Vary"] = "HX-Request, HX-Target"
    return answer


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _access(request: Request) -> Access:
    access: Access = request.app.state.access
    return access
