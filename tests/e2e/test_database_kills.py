"""Several ``stsearch index`` processes on one gallery in PostgreSQL: whatever ends one, nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from gallery_fixtures import MODEL, ColourSpotter, photo_bytes
from postgres_server import Server
from program import ROOT

from stsearch.gallery.access import create_gallery, open_gallery, verify_gallery
from stsearch.gallery.address import DatabaseUrl
from stsearch.indexing.indexer import index_photos
from stsearch.objects.url import Location

# The program with a spotter that needs no weights. PAUSE: the photograph at which it stops, and says so.
PROGRAM = """
import itertools, os, sys, time
from types import ModuleType, SimpleNamespace
from gallery_fixtures import MODEL, ColourSpotter
from stsearch.cli import app
from stsearch.gallery.postgres import worker
from stsearch.weights import card

class Spotter(ColourSpotter):
    calls = itertools.count(1)  # next() is one step, whatever threads do
    def spot(self, images):
        if next(self.calls) == int(os.environ.get("PAUSE", 0)):
            print("paused", flush=True)
            time.sleep(60)
        return super().spot(images)

worker.LEASE_S, worker._PAUSE_S, worker.CLAIM = 1.0, 0.05, 4
weights = ModuleType("stsearch.spotting.load")
weights.load_spotter = lambda *_: Spotter()
sys.modules["stsearch.spotting.load"] = weights
card.check_weights = lambda name: SimpleNamespace(info=MODEL)
app.main()
"""
PHOTOS = 60

pytestmark = pytest.mark.slow


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for number in range(PHOTOS):
        place = folder / "sub" if number % 3 else folder
        word = ColourSpotter.WORDS[number % len(ColourSpotter.WORDS)]
        (place / f"{number}.png").write_bytes(photo_bytes(word, blue=number // 2))  # some contents twice
    return folder


def start(photos: Path, database: DatabaseUrl, **environment: int) -> subprocess.Popen[str]:
    arguments = ["index", str(photos), "--index", database.secret, "--batch", "2", "--quiet"]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([os.environ["PYTHONPATH"], str(ROOT / "tests" / "support")]),
            **{name: str(value) for name, value in environment.items()},
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def holds(database: DatabaseUrl) -> dict[Location, list[str]]:
    """Return the words of each photograph; make sure that the gallery is whole, and nothing is left to do."""
    assert list(verify_gallery(database, deep=True)) == []
    with open_gallery(database) as gallery:
        assert gallery.folder_state().unfinished == 0
        words = gallery.text_instances_of({content for _, content in gallery.all_photos()})
        return {path: [each.transcript for each in words[content]] for path, content in gallery.all_photos()}


@pytest.fixture
def undisturbed(photos: Path, postgres: Server) -> dict[Location, list[str]]:
    """Return what a gallery holds that one process filled without being disturbed."""
    database = DatabaseUrl(postgres.url(postgres.new_database()))
    with create_gallery(database, photos, MODEL) as gallery:
        index_photos(gallery, ColourSpotter())
    return holds(database)


def test_a_killed_process_costs_nothing_but_its_batch(
    photos: Path, database: DatabaseUrl, undisturbed: dict[Location, list[str]]
) -> None:
    killed = start(photos, database, PAUSE=3)
    assert killed.stdout is not None
    assert killed.stdout.readline() == "paused\n"
    other = start(photos, database)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    other.communicate(timeout=60)
    assert other.returncode == 0
    assert holds(database) == undisturbed


def test_two_processes_fill_one_gallery_and_both_end_when_it_is_full(
    photos: Path, database: DatabaseUrl, undisturbed: dict[Location, list[str]]
) -> None:
    both = [start(photos, database), start(photos, database)]
    for process in both:
        process.communicate(timeout=60)
    assert [process.returncode for process in both] == [0, 0]
    assert holds(database) == undisturbed


def test_an_interrupted_process_leaves_its_files_to_the_next(
    photos: Path, database: DatabaseUrl, undisturbed: dict[Location, list[str]]
) -> None:
    stopped = start(photos, database, PAUSE=3)
    assert stopped.stdout is not None
    assert stopped.stdout.readline() == "paused\n"
    stopped.send_signal(signal.SIGINT)
    stopped.communicate(timeout=60)
    assert stopped.returncode == 130
    other = start(photos, database)
    other.communicate(timeout=60)
    assert other.returncode == 0
    assert holds(database) == undisturbed
