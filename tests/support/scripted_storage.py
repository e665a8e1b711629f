"""A storage that answers as a test says: with errors, in parts, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LAST_MODIFIED = "Sat, 28 Nov 2026 04:00:00 GMT"


@dataclass(frozen=True)
class Answer:
    """What one request gets; ``cut`` closes the connection after so many bytes of the body."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None


@dataclass(frozen=True)
class Request:
    """A request: the path with its query, and the headers in lower case."""

    path: str
    headers: Mapping[str, str]


def error(status: int, code: str) -> Answer:
    """Return an error as Amazon's storage words it."""
    return Answer(status, f"<Error><Code>{code}</Code><Message>m</Message></Error>".encode())


def listing(*keys: str, more: bool = False) -> Answer:
    """Return a page of a listing, of objects of a hundred bytes each."""
    objects = "".join(
        f"<Contents><Key>{key}</Key><LastModified>2026-11-28T04:00:00.000Z</LastModified>"
        f'<ETag>"{key}"</ETag><Size>100</Size></Contents>'
        for key in keys
    )
    token = "<NextContinuationToken>next</NextContinuationToken>" if more else ""
    page = (
        f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}{objects}</ListBucketResult>"
    )
    return Answer(200, page.encode())


@contextmanager
def scripted_storage(answer: Callable[[Request], Answer]) -> Iterator[str]:
    """Yield the URL of a server that answers every request as ``answer`` says."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            said = answer(Request(self.path, headers))
            self.send_response(said.status)
            given = {"Content-Length": str(len(said.body)), "Last-Modified": LAST_MODIFIED, **said.headers}
            for name, value in given.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said.body if said.cut is None else said.body[: said.cut])
            self.close_connection = said.cut is not None

        do_HEAD = do_GET  # noqa: N815  as http.server calls it

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Say nothing of a client that did not wait."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
