"""Indexing runs that a page starts: one at a time, followed, and ended with the server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from server_fixtures import CSRF, client_of
from starlette.testclient import TestClient

from stsearch.errors import GalleryLockedError
from stsearch.server.index_run import IndexRuns, RunState


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[IndexRuns]:
    monkeypatch.setattr("stsearch.server.index_run._MODULE", "fake_index_process")
    runs = IndexRuns()
    yield runs
    runs.stop()


def wait_for(runs: IndexRuns, is_so: Callable[[RunState], bool]) -> RunState:
    tick = threading.Event()
    for _ in range(1000):
        if is_so(runs.state):
            return runs.state
        tick.wait(0.01)
    raise AssertionError(runs.state)


def test_a_run_is_followed_to_its_end(runs: IndexRuns, tmp_path: Path) -> None:
    runs.start("photos", tmp_path, tmp_path, "done")
    ended = wait_for(runs, lambda state: state.state != "running")
    assert (ended.state, ended.done, ended.total, ended.words, ended.read) == ("done", 1, 2, 3, ("coffee",))
    assert ended.report == {"new": 2, "changed": 0, "removed": 1}
    assert ended.message == "a.tif: 2 of 3 pages"


def test_what_ends_a_run_is_said(runs: IndexRuns, tmp_path: Path) -> None:
    runs.start("photos", tmp_path, tmp_path, "locked")
    assert wait_for(runs, lambda state: state.state == "failed").message == (
        "another process is writing to the gallery"
    )


def test_a_process_that_ends_without_a_word_has_failed(runs: IndexRuns, tmp_path: Path) -> None:
    runs.start("photos", tmp_path, tmp_path, "killed")
    assert "start it again" in wait_for(runs, lambda state: state.state == "failed").message


def test_only_one_runs_at_a_time_and_it_ends_with_the_server(runs: IndexRuns, tmp_path: Path) -> None:
    runs.start("photos", tmp_path, tmp_path, "waits")
    wait_for(runs, lambda state: state.done == 1)
    with pytest.raises(GalleryLockedError, match="photos is being indexed"):
        runs.start("others", tmp_path, tmp_path, "done")
    runs.stop()
    assert wait_for(runs, lambda state: state.state == "failed").done == 1


def test_the_page_starts_a_run_and_shows_it(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stsearch.server.index_run._MODULE", "fake_index_process")
    monkeypatch.setattr("stsearch.weights.card.find_by_sha256", lambda sha256, name: "waits")
    ours = {"X-CSRF-Token": CSRF, "Origin": "http://127.0.0.1:8765"}
    shown = client.post("/index", data={"gallery": "photos"}, headers=ours)
    assert (shown.status_code, "<progress" in shown.text) == (200, True)
    assert client.get("/api/index").json()["state"] == "running"
    assert client.get("/api/search?q=hotel").json()["total"] == 1
    again = client.post("/index", data={"gallery": "photos"}, headers=ours)
    assert (again.status_code, "photos is being indexed" in again.text) == (409, True)
    unknown = client.post("/index", data={"gallery": "../etc"}, headers=ours)
    assert unknown.status_code == 400


def test_a_server_that_only_reads_starts_none(photos: Path) -> None:
    with client_of(photos, read_only=True) as client:
        refused = client.post("/index", data={"gallery": "photos"}, headers={"X-CSRF-Token": CSRF})
        assert refused.status_code == 403
        assert "Look for new" not in client.get("/galleries").text
