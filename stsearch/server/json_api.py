"""The JSON API: the fields of ``--json`` at ``/api/…``, pictures of photographs, and its own description."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stsearch import __version__
from stsearch.api.json_lines import JSON_SCHEMA, advice_fields, hit_line
from stsearch.errors import UsageError
from stsearch.search.hits import Hit
from stsearch.server.ask import PARAMETERS, Ask, read_ask, read_count
from stsearch.server.library import Answer
from stsearch.server.pictures import read_view
from stsearch.server.replies import KEPT, RequestError, is_known, json_reply, reply
from stsearch.server.service import MAX_PICTURE_BYTES, Service
from stsearch.server.summaries import gallery_lines, photograph_words, word_lines

if TYPE_CHECKING:
    from stsearch.server.index_run import IndexRuns

_DESCRIPTION = Path(__file__).parent / "openapi.json"
_MOST_WORDS = 10_000


def routes() -> list[Route]:
    """Return the addresses of the API."""
    return [
        Route("/api/search", search, methods=["GET"]),
        Route("/api/search", search_picture, methods=["POST"]),
        Route("/api/words", words),
        Route("/api/status", status),
        Route("/api/index", index_state),
        Route("/api/image/{id}", image),
        Route("/api/openapi.json", describe),
    ]


def asked(request: Request) -> Ask:
    """Return the search that a request asks for.

    Raises:
        UsageError: a parameter is unknown, or its value cannot be used.
    """
    _refuse_others(request, PARAMETERS)
    return read_ask(_values(request))


async def search(request: Request) -> Response:
    """Answer a search."""
    ask = asked(request)
    if ask.is_empty:
        raise UsageError("give a query, as in /api/search?q=coffee, or like, or picture")
    return json_reply(request, answer_line(await _service(request).search(ask)))


async def search_picture(request: Request) -> Response:
    """Answer a search for the word that fills the picture in the body."""
    ask = asked(request)
    if not ask.is_empty:
        raise UsageError("the picture in the body says what is searched for: leave out q, like and picture")
    encoded = await _body(request)
    name = await _service(request).take_picture(encoded, ask)
    answer = await _service(request).search(read_ask({**_values(request), "picture": [name]}))
    return json_reply(request, {**answer_line(answer), "picture": name})


async def words(request: Request) -> Response:
    """List the words of a gallery, or of one photograph."""
    query = request.query_params
    _refuse_others(request, ("gallery", "photograph", "top"))
    service = _service(request)
    top = read_count("top", query.get("top", ""), 1, _MOST_WORDS) or 100
    if sha256 := query.get("photograph"):
        found = photograph_words(await service.photograph(sha256))
    else:
        found = await word_lines(service, query.get("gallery", ""))
    return json_reply(
        request, {"type": "words", "schema": JSON_SCHEMA, "total": len(found), "words": found[:top]}
    )


async def status(request: Request) -> Response:
    """Say what the galleries hold."""
    lines = await gallery_lines(_service(request))
    return json_reply(
        request, {"type": "galleries", "schema": JSON_SCHEMA, "version": __version__, "galleries": lines}
    )


async def index_state(request: Request) -> Response:
    """Say how far an indexing run is that was started here."""
    runs: IndexRuns = request.app.state.runs
    return json_reply(request, {"type": "index", "schema": JSON_SCHEMA, **runs.facts()})


async def image(request: Request) -> Response:
    """Return a picture of a photograph."""
    query = request.query_params
    page = read_count("page", query.get("page", ""), 1, 1_000_000)
    view = read_view(query.get("show", "whole"), page, query.get("outline", ""))
    sha256 = request.path_params["id"]
    service = _service(request)
    photograph = (await service.photograph(sha256)).photograph
    etag = f"{sha256}-{view.tag}"
    if is_known(request, etag):
        return reply(request, b"", "image/jpeg", etag, KEPT)
    return reply(request, await service.jpeg(photograph, view), "image/jpeg", etag, KEPT)


async def describe(request: Request) -> Response:
    """Return the description of this API."""
    description = json.loads(_DESCRIPTION.read_text(encoding="utf-8"))
    description["info"]["version"] = __version__
    return json_reply(request, description)


def answer_line(answer: Answer) -> dict[str, object]:
    """Return an answer: hits as lines of ``search --json``, what nearly matches as in its ``no_match``."""
    found = answer.found
    return {
        "type": "answer",
        "schema": JSON_SCHEMA,
        "query": answer.text,
        "total": found.total,
        "remark": answer.remark,
        "hits": [_hit(hit, answer) for hit in found.hits],
        "nearly": [_hit(hit, answer) for hit in found.nearly],
        "advice": [advice_fields(each) for each in found.advice],
    }


def _hit(hit: Hit, answer: Answer) -> dict[str, object]:
    line = hit_line(hit, answer.limits if answer.ask.explain else None)
    return {**line, "photograph": answer.photographs.get(hit.path)}


async def _body(request: Request) -> bytes:
    encoded = bytearray()
    async for chunk in request.stream():
        encoded += chunk
        if len(encoded) > MAX_PICTURE_BYTES:
            raise RequestError(413, f"a picture of a word has at most {MAX_PICTURE_BYTES // 1_000_000} MB")
    if not encoded:
        raise UsageError("the body is empty: send the bytes of a picture of a word")
    return bytes(encoded)


def _values(request: Request) -> Mapping[str, list[str]]:
    return {name: request.query_params.getlist(name) for name in request.query_params}


def _refuse_others(request: Request, known: Sequence[str]) -> None:
    if unknown := sorted(request.query_params.keys() - set(known)):
        raise UsageError(f"there is no parameter {unknown[0]!r}; there are: {', '.join(known)}")


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service
