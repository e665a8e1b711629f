"""A browser that drives the page of a server, which runs in a thread of the test."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from server_fixtures import CSRF

from stsearch.server.app import make_app
from stsearch.server.index_run import IndexRuns
from stsearch.server.run import listen
from stsearch.server.security import Access
from stsearch.server.service import Service

CHROMIUM = Path("/usr/bin/chromium")


@dataclass
class Running:
    """A server that listens.

    Attributes:
        address: of its page.
        runs: of indexing.
    """

    address: str
    runs: IndexRuns = field(default_factory=IndexRuns)


class _Quiet(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def running(*folders: Path, read_only: bool = False) -> Iterator[Running]:
    """Serve ``folders`` on a free port of the loopback address."""
    service = Service(folders, None, "cpu", 178.0, lambda _: None)
    with listen("127.0.0.1", 0) as listening:
        port = listening.getsockname()[1]
        server = Running(f"http://127.0.0.1:{port}")
        app = make_app(service, Access("127.0.0.1", port, None, CSRF), server.runs, read_only)
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off")
        program = _Quiet(config)
        thread = threading.Thread(target=program.run, args=([listening],), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            program.should_exit = program.force_exit = True
            thread.join(5)
            server.runs.stop()
            with contextlib.suppress(RuntimeError):
                service.close()
