"""Several ``stsearch index`` processes on one gallery in PostgreSQL: whatever ends one, nothing is lost."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest
from gallery_fixtures import MODEL, ColourSpotter, photo_bytes
from postgres_server import Server
from shared_index import start, wait_until_paused

from stsearch.gallery.access import create_gallery, open_gallery, verify_gallery
from stsearch.gallery.address import DatabaseUrl
from stsearch.indexing.indexer import index_photos
from stsearch.objects.url import Location

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


def index(photos: Path, database: DatabaseUrl, **environment: int) -> subprocess.Popen[str]:
    arguments = ("index", photos, "--index", database.secret, "--batch", 2, "--quiet")
    return start(*map(str, arguments), LEASE_S=1, CLAIM=4, **environment)


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
    killed = index(photos, database, PAUSE=3)
    wait_until_paused(killed)
    other = index(photos, database)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    _, said = other.communicate(timeout=60)
    assert other.returncode == 0, said
    assert holds(database) == undisturbed


def test_two_processes_fill_one_gallery_and_both_end_when_it_is_full(
    photos: Path, database: DatabaseUrl, undisturbed: dict[Location, list[str]]
) -> None:
    both = [index(photos, database), index(photos, database)]
    for process in both:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    assert holds(database) == undisturbed


def test_an_interrupted_process_leaves_its_files_to_the_next(
    photos: Path, database: DatabaseUrl, undisturbed: dict[Location, list[str]]
) -> None:
    stopped = index(photos, database, PAUSE=3)
    wait_until_paused(stopped)
    stopped.send_signal(signal.SIGINT)
    _, said = stopped.communicate(timeout=60)
    assert (stopped.returncode, "error" in said) == (130, False), said
    other = index(photos, database)
    _, said = other.communicate(timeout=60)
    assert other.returncode == 0, said
    assert holds(database) == undisturbed
