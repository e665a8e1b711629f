"""``stsearch serve`` as a program: what it prints, what it refuses, and how it ends."""

from __future__ import annotations

import html
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from bucket_fixtures import ROOT, LocalBucket
from gallery_fixtures import Done, Run, make_gallery, photo_bytes
from program import Cli
from server_fixtures import client_of

from stsearch.gallery.gallery import Gallery
from stsearch.search.query_encoder import load_query_encoder

PHOTO = "street-03.jpg"


@contextmanager
def serving(*arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run ``stsearch serve``, and yield it with the address that it prints."""
    command = [sys.executable, "-m", "stsearch", "serve", "--port", "0", *map(str, arguments)]
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert program.stdout
        yield program, program.stdout.readline().strip()
    finally:
        if program.poll() is None:
            program.kill()
        program.communicate()


def fetch(url: str, **headers: str) -> bytes:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
        content: bytes = answer.read()
        return content


@pytest.fixture
def indexed(tmp_path: Path, cli: Cli, rendered_gallery: Path, tiny_weights: Path) -> Path:
    """Return a folder with one photograph, read by the shipped weights."""
    folder = tmp_path / "photos"
    folder.mkdir()
    shutil.copy(rendered_gallery / PHOTO, folder)
    assert cli("index", folder, "--device", "cpu").returncode == 0
    return folder


@pytest.mark.slow
def test_a_gallery_is_searched_and_brought_up_to_date_and_sigterm_ends_it_with_143(
    indexed: Path, rendered_gallery: Path
) -> None:
    with serving(indexed) as (program, address):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", address)
        found = json.loads(fetch(f"{address}api/search?q=garden&top=1"))
        assert Path(found["hits"][0]["path"]) == indexed / PHOTO
        shutil.copy(rendered_gallery / "street-12.jpg", indexed)
        [csrf] = re.findall(r'name="csrf" content="([^"]+)"', fetch(address).decode())
        ours = {"X-CSRF-Token": csrf, "Content-Type": "application/x-www-form-urlencoded"}
        start = urllib.request.Request(f"{address}index", b"gallery=photos", ours)
        urllib.request.urlopen(start).close()
        state: dict[str, Any] = {"state": "running"}
        for _ in range(600):
            state = json.loads(fetch(f"{address}api/index"))
            if state["state"] != "running":
                break
            program.poll()
            subprocess.run(["sleep", "0.1"], check=True)
        assert (state["state"], state["report"]["new"]) == ("done", 1), state
        program.send_signal(signal.SIGTERM)
        assert program.wait(10) == 143


def test_ctrl_c_ends_it_with_130_whoever_is_connected(tmp_path: Path) -> None:
    with serving(served_folder(tmp_path)) as (program, address):
        port = int(address.rsplit(":", 1)[1].strip("/"))
        with socket.create_connection(("127.0.0.1", port)) as idle:
            idle.sendall(b"GET / HTTP/1.1\r\n")
            program.send_signal(signal.SIGINT)
            assert program.wait(10) == 130
        assert program.stderr
        assert program.stderr.read() == "Serving photos; Ctrl-C ends it\n"


def served_folder(tmp_path: Path) -> Path:
    """Return an empty folder with a gallery of the shipped weights."""
    photos = tmp_path / "photos"
    photos.mkdir()
    with Gallery.create(photos / ".stsearch", photos, load_query_encoder().info) as gallery:
        gallery.finish()
    return photos


def test_beyond_this_machine_the_token_that_is_printed_is_needed(tmp_path: Path) -> None:
    with serving(served_folder(tmp_path), "--host", "0.0.0.0") as (program, address):
        plain, _, token = address.partition("?token=")
        assert len(token) >= 32
        port = int(plain.rsplit(":", 1)[1].strip("/"))
        here = f"http://127.0.0.1:{port}/api/status"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            fetch(here)
        assert json.loads(fetch(here, Authorization=f"Bearer {token}"))["galleries"]
        program.send_signal(signal.SIGTERM)
        assert program.wait(10) == 143
        assert program.stderr
        assert "Others can reach this" in program.stderr.read()


def test_a_port_that_is_taken_is_one_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    make_gallery(tmp_path / "photos", {"a.png": ["coffee"]}).close()
    done = serve_at_a_taken_port(run, tmp_path / "photos")
    assert done.code == 2
    assert re.fullmatch(
        r"error: port \d+ is in use, perhaps by another stsearch serve: give another --port, or 0 for any\n",
        done.err,
    )


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        pytest.param(["--host", "no.such.host.invalid"], 2, "is no address of this machine", id="host"),
        pytest.param(["--host", "203.0.113.7"], 2, "is no address of this machine", id="address"),
        pytest.param(["--token", "short"], 2, "at least 8 characters", id="token"),
        pytest.param(["--port", "70000"], 2, "--port", id="port"),
    ],
)
def test_what_cannot_be_served_is_said_in_a_sentence(
    run: Run, tmp_path: Path, arguments: list[str], code: int, says: str
) -> None:
    (tmp_path / "photos").mkdir()
    make_gallery(tmp_path / "photos", {"a.png": ["coffee"]}).close()
    done = run("serve", tmp_path / "photos", *arguments)
    assert (done.code, done.err.count("\n")) == (code, 1)
    assert says in done.err


def test_without_a_gallery_there_is_nothing_to_serve(run: Run, tmp_path: Path) -> None:
    assert run("serve", tmp_path).code == 10
    assert run("serve").err == "error: no photos are indexed yet; begin with: stsearch index FOLDER\n"


def serve_at_a_taken_port(run: Run, *arguments: str | Path) -> Done:
    """Let ``serve`` open its galleries, and end there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return run("serve", *arguments, "--port", taken.getsockname()[1])


def test_the_gallery_of_a_bucket_is_served_by_its_url(run: Run, bucket: LocalBucket) -> None:
    bucket.put({"photos/cup.png": photo_bytes("coffee")})
    assert run("index", ROOT, "-q").code == 0
    assert "is in use" in serve_at_a_taken_port(run, ROOT).err
    with client_of(ROOT) as client:
        [hit] = client.get("/api/search?q=coffee").json()["hits"]
        assert hit["path"] == f"{ROOT}/cup.png"
        [picture] = set(re.findall(r"/api/image/\w+\?[^\"]*show=crop[^\"]*", client.get("/?q=coffee").text))
        assert client.get(html.unescape(picture)).headers["content-type"] == "image/jpeg"


def test_the_environment_names_what_is_served_by_a_url_or_by_paths(
    run: Run, bucket: LocalBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put({"photos/cup.png": photo_bytes("coffee")})
    assert run("index", ROOT, "-q").code == 0
    monkeypatch.setenv("STSEARCH_INDEX", ROOT)
    assert "is in use" in serve_at_a_taken_port(run).err
    monkeypatch.setenv("STSEARCH_INDEX", f"{tmp_path / 'a'}:{tmp_path / 'b'}")
    assert f"no gallery in {tmp_path / 'a'};" in serve_at_a_taken_port(run).err


@pytest.mark.parametrize("command", ["serve", "mcp"])
@pytest.mark.parametrize("is_argument", [True, False])
def test_a_database_is_refused_before_it_is_asked_anything(
    run: Run, command: str, is_argument: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "postgresql://ann:secret@127.0.0.1:1/db"
    if not is_argument:
        monkeypatch.setenv("STSEARCH_INDEX", url)
    done = run(command, *([url] if is_argument else []))
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert done.err.startswith("error: postgresql://ann@127.0.0.1:1/db is a database, whose photographs")


WITHOUT = """
import sys
for name in ("mcp", "starlette", "uvicorn"):
    sys.modules[name] = None
from stsearch.cli import app
sys.exit(app.run(app.app, sys.argv[1:]))
"""


@pytest.mark.parametrize("command", ["serve", "mcp"])
def test_without_the_extra_the_way_to_it_is_named(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert f"which is not installed: pip install 'stsearch[{command}]'" in done.stderr
    assert done.stderr.count("\n") == 1
