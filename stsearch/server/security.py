"""Who may ask, and what a browser may do with the replies.

A page of another site must not reach a server on the loopback address: not by a name that it lets point
there (DNS rebinding: the Host is checked), not by a request of its own (the Origin is checked; what changes
anything also needs a token that only our pages hold), and not in a frame.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stsearch.pages import render_served
from stsearch.server.replies import RequestError, json_error

CSRF_HEADER = "X-CSRF-Token"

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
BROWSER_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_READING = ("GET", "HEAD", "OPTIONS")


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches ``host``.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask.

    Attributes:
        host: that is listened on.
        port: likewise.
        token: that every request has to bring; None: everybody who reaches the server may ask.
        csrf: that a request which changes anything has to bring; only our pages hold it.
    """

    host: str
    port: int
    token: str | None = None
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def cookie(self) -> str:
        """The name of the cookie with the token; cookies do not tell ports apart."""
        return f"stsearch-{self.port}"

    def admits_host(self, given: str) -> bool:
        """Return whether a Host header may be meant for this server.

        Nobody can let an address point elsewhere, so any address may be; of names only our own.
        """
        name = urlsplit(f"//{given}").hostname or ""
        try:
            ipaddress.ip_address(name)
            return True
        except ValueError:
            ours = socket.gethostname().lower()
            return name in {"localhost", self.host.lower(), ours, f"{ours}.local"}

    def is_token(self, given: str) -> bool:
        """Return whether ``given`` is the token; takes as long for every wrong one."""
        return self.token is not None and secrets.compare_digest(given.encode(), self.token.encode())

    def check_csrf(self, given: str) -> None:
        """Refuse what does not come from a page of ours.

        Raises:
            RequestError: it does not.
        """
        if not secrets.compare_digest(given.encode(), self.csrf.encode()):
            raise RequestError(
                403, "this did not come from a page of this server: reload the page, and try again"
            )


class Guard:
    """Middleware: refuses who may not ask, and adds the headers that bind browsers."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_bound(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(BROWSER_HEADERS)
            await send(message)

        headers = Headers(scope=scope)
        try:
            refusal = self._refusal(scope, headers)
        except ValueError:  # a Host or an Origin that is no address at all
            refusal = json_error(RequestError(400, "the Host or the Origin of this request is none"))
        await (refusal or self._app)(scope, receive, send_bound)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        access, host = self._access, headers.get("host", "")
        if not access.admits_host(host):
            return json_error(
                RequestError(403, f"{host!r} is not served here: open it by the address it listens on")
            )
        if scope["method"] not in _READING and not _is_of_page(headers, host):
            return json_error(RequestError(403, "this request comes from a page of another site"))
        is_public = scope["path"].startswith("/static/")  # the same everywhere
        if access.token is None or is_public or self._brings_token(headers):
            return None
        return self._let_in(scope)

    def _brings_token(self, headers: Headers) -> bool:
        kind, _, bearer = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self._access.is_token(bearer.strip())
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(self._access.cookie)
        except CookieError:
            return False
        return cookie is not None and self._access.is_token(cookie.value)

    def _let_in(self, scope: Scope) -> Response:
        """Return a cookie for who brings the token in the URL, as is printed; else ask for it."""
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = [value for name, value in pairs if name == "token"]
        if scope["method"] in _READING and given and self._access.is_token(given[-1]):
            rest = urlencode([pair for pair in pairs if pair[0] != "token"])
            path = "/" + scope["path"].lstrip("/\\")  # //host would lead to another server
            answer = RedirectResponse(f"{path}?{rest}" if rest else path, 303)
            answer.set_cookie(self._access.cookie, given[-1], httponly=True, samesite="lax")
            return answer
        error = RequestError(
            401,
            "this server asks for its token: open the address that it printed, or send"
            " Authorization: Bearer TOKEN",
        )
        if scope["path"].startswith("/api/"):
            refused = json_error(error)
        else:
            refused = Response(
                render_served("token.html", is_wrong=bool(given), csrf="", version=""),
                401,
                media_type="text/html",
            )
        refused.headers["WWW-Authenticate"] = "Bearer"
        return refused


def _is_of_page(headers: Headers, host: str) -> bool:
    """Return whether a request comes from a page of this server, or from no page at all."""
    if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == host.lower()
