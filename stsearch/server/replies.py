"""Replies: bytes with an ETag, errors with the sentence of the command line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from stsearch.api.json_lines import JSON_SCHEMA
from stsearch.errors import (
    DeviceError,
    GalleryDamagedError,
    GalleryLockedError,
    GalleryNotFoundError,
    GalleryUnreadableError,
    ImageError,
    StsearchError,
    UsageError,
    WeightsError,
    WriteError,
)
from stsearch.server.pictures import PhotographGoneError

REVALIDATED = "private, no-cache"
"""Of what may be another answer the next time: browsers ask whether it still holds."""

KEPT = "private, max-age=31536000, immutable"
"""Of what is named by its content."""

_STATUS: Mapping[type[StsearchError], int] = {
    UsageError: 400,
    GalleryNotFoundError: 404,
    GalleryLockedError: 409,
    PhotographGoneError: 410,
    ImageError: 422,
    GalleryDamagedError: 503,
    GalleryUnreadableError: 503,
    WeightsError: 503,
    DeviceError: 503,
    WriteError: 507,
}


class RequestError(StsearchError):
    """A request that HTTP itself has an answer for.

    Attributes:
        status: of the reply.
    """

    exit_code = UsageError.exit_code

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def status_of(error: StsearchError) -> int:
    """Return the status of the reply to a request that ended in ``error``."""
    if isinstance(error, RequestError):
        return error.status
    kinds = (_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS)
    return next(kinds, 500)


def reply(request: Request, body: bytes, kind: str, etag: str, cache: str = REVALIDATED) -> Response:
    """Return ``body``, or 304 alone where the client has it already."""
    headers = {"ETag": f'"{etag}"', "Cache-Control": cache}
    if is_known(request, etag):
        return Response(None, 304, headers)
    return Response(body, 200, headers, kind)


def is_known(request: Request, etag: str) -> bool:
    """Return whether the client says that it has what is tagged so."""
    known = request.headers.get("If-None-Match", "")
    return known.strip() == "*" or f'"{etag}"' in [
        each.strip().removeprefix("W/") for each in known.split(",")
    ]


def tag_of(body: bytes) -> str:
    """Return the tag of what is tagged by its content."""
    return hashlib.sha256(body).hexdigest()[:32]


def json_body(value: object) -> bytes:
    """Return ``value`` as JSON; names that are no UTF-8 are escaped, as on the command line."""
    return json.dumps(value).encode("ascii")


def json_reply(request: Request, value: object) -> Response:
    """Return ``value`` as JSON, tagged by its content."""
    body = json_body(value)
    return reply(request, body, "application/json", tag_of(body))


def json_error(error: StsearchError) -> Response:
    """Return the sentence that the command line would end with, and its exit code."""
    line = {"type": "error", "schema": JSON_SCHEMA, "message": str(error), "exit_code": error.exit_code}
    return Response(
        json_body(line), status_of(error), {"Cache-Control": "no-store"}, media_type="application/json"
    )
