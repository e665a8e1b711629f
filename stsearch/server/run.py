"""Listening, and serving until a signal ends it."""

from __future__ import annotations

import errno
import secrets
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from stsearch.errors import UsageError
from stsearch.server.app import make_app
from stsearch.server.index_run import IndexRuns
from stsearch.server.security import Access, is_loopback
from stsearch.server.service import Service

MIN_TOKEN = 8
"""Characters of a token: shorter ones can be tried out."""

_BACKLOG = 256  # connections that wait to be accepted


def grant_access(host: str, port: int, token: str | None) -> Access:
    """Return who may ask on ``host``; beyond this machine only who has a token, made here if none is given.

    Raises:
        UsageError: the token is too short, or holds what no header can.
    """
    if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
        raise UsageError("--token is made of letters, digits and signs of ASCII, without spaces")
    if token is not None and len(token) < MIN_TOKEN:
        raise UsageError(f"--token has at least {MIN_TOKEN} characters; without it a good one is made")
    if token is None and not is_loopback(host):
        token = secrets.token_urlsafe(24)
    return Access(host, port, token)


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on ``host``; port 0 takes a free one.

    Raises:
        UsageError: the port is taken or may not be used, or there is no such host.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except socket.gaierror as error:
        raise UsageError(f"--host {host} is no address of this machine: {error.strerror}") from error
    except (OSError, OverflowError) as error:
        code = getattr(error, "errno", None)
        if code == errno.EADDRINUSE:
            message = (
                f"port {port} is in use, perhaps by another stsearch serve: give another --port, or 0 for any"
            )
        elif code in (errno.EACCES, errno.EPERM):
            message = f"port {port} is not for every user: give one from 1024 on"
        elif code == errno.EADDRNOTAVAIL:
            message = f"--host {host} is no address of this machine"
        else:
            message = f"cannot listen on {host}, port {port}: {error}"
        raise UsageError(message) from error


def address_of(access: Access) -> str:
    """Return the URL that opens the page, with the token where one is needed."""
    host = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(access.host, access.host)
    shown = f"[{host}]" if ":" in host else host
    query = "" if access.token is None else f"?token={access.token}"
    return f"http://{shown}:{access.port}/{query}"


def serve(
    service: Service,
    access: Access,
    listening: socket.socket,
    read_only: bool,
    ready: Callable[[], None],
) -> None:
    """Answer requests until SIGINT or SIGTERM; they are raised again, for whoever handled them before.

    Args:
        service: with the galleries; closed at the end.
        access: who may ask.
        listening: as ``listen`` returned it.
        read_only: let nobody start an indexing run.
        ready: is called once requests are answered.
    """
    runs = IndexRuns()
    app = make_app(service, access, runs, read_only)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", server_header=False, date_header=False
    )
    try:
        _Server(config, ready).run(sockets=[listening])
    finally:
        runs.stop()
        service.close()


class _Server(uvicorn.Server):
    """A server that ends at the first signal, without waiting for whoever is connected."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.force_exit = True
        super().handle_exit(sig, frame)
