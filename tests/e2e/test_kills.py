"""Runs of ``stsearch index`` that are killed, stopped or out of disk: what was done stays."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from gallery_fixtures import MODEL, ColourSpotter, photo_bytes
from long_runs import times
from program import ROOT

from stsearch.gallery import gallery as gallery_module
from stsearch.gallery.gallery import Gallery
from stsearch.gallery.vector_store import HnswStore
from stsearch.gallery.verify import verify
from stsearch.indexing.indexer import index_photos

# The program with a spotter that needs no weights. PAUSE: the photograph that it takes long for; FSIZE: no
# file may grow beyond so many bytes, which is how a full disk looks to it.
PROGRAM = """
import itertools, os, resource, signal, sys, time
from types import ModuleType, SimpleNamespace
from gallery_fixtures import MODEL, ColourSpotter
import stsearch.indexing.indexer, stsearch.gallery.vector_store, hnswlib
from stsearch.cli import app
from stsearch.gallery import gallery
from stsearch.weights import card

class Spotter(ColourSpotter):
    calls = itertools.count(1)  # next() is one step, whatever threads do
    def spot(self, images):
        if next(self.calls) == int(os.environ.get("PAUSE", 0)):
            print("paused", flush=True)
            time.sleep(3)  # of a run that goes on after that, the exit code is 0
        return super().spot(images)

gallery.EXACT_LIMIT = 20
weights = ModuleType("stsearch.spotting.load")
weights.load_spotter = lambda *_: Spotter()
sys.modules["stsearch.spotting.load"] = weights
card.check_weights = lambda name: SimpleNamespace(info=MODEL)
if limit := int(os.environ.get("FSIZE", 0)):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what runs in the background
print("ready", flush=True)
app.main()
"""
PHOTOS = 60

pytestmark = pytest.mark.slow


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return make_photos(tmp_path / "photos")


def make_photos(folder: Path) -> Path:
    (folder / "sub").mkdir(parents=True)
    for number in range(PHOTOS):
        place = folder / "sub" if number % 3 else folder
        word = ColourSpotter.WORDS[number % len(ColourSpotter.WORDS)]
        (place / f"{number}.png").write_bytes(photo_bytes(word, blue=number // 2))  # each content twice
    return folder


def start(photos: Path, **environment: int) -> subprocess.Popen[str]:
    """Start indexing ``photos``; return when the program has loaded what it needs."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "index", str(photos), "--batch", "2", "--quiet"],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([os.environ["PYTHONPATH"], str(ROOT / "tests" / "support")]),
            **{name: str(value) for name, value in environment.items()},
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def run(photos: Path, **environment: int) -> int:
    """Index ``photos``, and return the exit code."""
    process = start(photos, **environment)
    process.communicate()
    return process.returncode


def holds(photos: Path) -> dict[str, tuple[object, ...]]:
    """Return what the gallery holds of each file, whatever the ids; make sure that it is whole."""
    folder = photos / ".stsearch"
    assert list(verify(folder, deep=True)) == []
    with Gallery.open(folder) as gallery:
        catalog, table = gallery.catalog, gallery.instances()
        record = gallery.manifest.store
        assert record is not None
        store = HnswStore.load(folder / record.file, record.dim)
        np.testing.assert_array_equal(np.sort(store.ids()), table.ids)
        details = catalog.details_of(table.ids)
        words: dict[int, list[object]] = {}
        for row, instance in enumerate(table.ids.tolist()):
            vector, outline = table.embeddings[row].tobytes(), details[instance].polygon.tobytes()
            words.setdefault(int(table.contents[row]), []).append((table.transcripts[row], outline, vector))
        return {
            path: (catalog.record_at(path), *words.get(content, ())) for path, content in catalog.photos()
        }


@pytest.fixture
def undisturbed(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, tuple[object, ...]]:
    """Return what a gallery of the same photographs holds after a run that nothing disturbed."""
    monkeypatch.setattr(gallery_module, "EXACT_LIMIT", 20)
    copy = tmp_path / "undisturbed" / "photos"
    shutil.copytree(photos, copy)
    with Gallery.create(copy / ".stsearch", copy, MODEL) as gallery:
        index_photos(gallery, ColourSpotter())
    expected = holds(copy)
    assert len(expected) == PHOTOS
    return expected


def kill_and_restart(folder: Path, kills: int, rng: np.random.Generator) -> int:
    """Index ``folder`` with up to ``kills`` runs killed at random moments; return how many were."""
    killed, longest = 0, 0.5
    while killed < kills:
        process = start(folder)
        began = time.monotonic()
        try:
            process.communicate(timeout=float(rng.uniform(0, longest)))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            killed += 1
        else:
            assert process.returncode == 0
            longest = max(0.05, (time.monotonic() - began) / 2)
            return killed
    assert run(folder) == 0
    return killed


def be_killed(tmp_path: Path, photos: Path, expected: dict[str, tuple[object, ...]], kills: int) -> int:
    """Kill and restart runs over copies of ``photos`` until ``kills`` were killed; return how many copies."""
    rng, done, copies = np.random.default_rng(5), 0, 0
    while done < kills:
        copies += 1
        copy = tmp_path / f"copy-{copies}" / "photos"
        shutil.copytree(photos, copy)
        done += kill_and_restart(copy, min(20, kills - done), rng)
        assert holds(copy) == expected
    return copies


def test_a_run_killed_at_any_moment_and_restarted_ends_as_an_undisturbed_one(
    tmp_path: Path, photos: Path, undisturbed: dict[str, tuple[object, ...]]
) -> None:
    be_killed(tmp_path, photos, undisturbed, 6)


@pytest.mark.long
def test_hundreds_of_kills_change_nothing(
    tmp_path: Path, photos: Path, undisturbed: dict[str, tuple[object, ...]], pytestconfig: pytest.Config
) -> None:
    kills = times(200)
    copies = be_killed(tmp_path, photos, undisturbed, kills)
    pytestconfig.get_terminal_writer().line(f"{kills} kills over {copies} galleries")


def fill_the_disk(photos: Path, expected: dict[str, tuple[object, ...]], limit: int) -> None:
    """Index with too little room, and then with enough."""
    assert run(photos, FSIZE=limit) == 15
    if (photos / ".stsearch" / "manifest.json").exists():
        with Gallery.open(photos) as gallery:
            assert gallery.catalog.counts().photos <= PHOTOS
    assert run(photos) == 0
    assert holds(photos) == expected


@pytest.mark.parametrize("limit", [100, 20_000, 70_000])
def test_a_full_disk_ends_with_15_and_a_later_run_completes_the_gallery(
    photos: Path, undisturbed: dict[str, tuple[object, ...]], limit: int
) -> None:
    fill_the_disk(photos, undisturbed, limit)


@pytest.mark.long
def test_a_disk_that_fills_up_anywhere_ends_with_15_and_a_later_run_completes_the_gallery(
    tmp_path: Path, photos: Path, undisturbed: dict[str, tuple[object, ...]], pytestconfig: pytest.Config
) -> None:
    folder = tmp_path / "undisturbed" / "photos" / ".stsearch"
    largest = max(path.stat().st_size for path in folder.iterdir())
    limits = [1000 * number for number in range(1, times(60) + 1) if 1000 * number < largest]
    for number, limit in enumerate(limits):
        copy = tmp_path / f"full-{number}" / "photos"
        shutil.copytree(photos, copy)
        fill_the_disk(copy, undisturbed, limit)
    pytestconfig.get_terminal_writer().line(f"{len(limits)} limits up to {limits[-1]} bytes of {largest}")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "Ctrl-C"]
)
def test_a_signal_ends_a_run_with_its_code_and_keeps_the_finished_batches(
    photos: Path, undisturbed: dict[str, tuple[object, ...]], number: signal.Signals, code: int
) -> None:
    process = start(photos, PAUSE=8)
    assert process.stdout is not None
    assert process.stdout.readline() == "paused\n"
    process.send_signal(number)
    process.communicate()
    assert process.returncode == code
    with Gallery.open(photos) as gallery:
        # Of the 7 photographs before the pause, one may be at work in the other thread, one on its way.
        assert gallery.catalog.counts().photos >= 5
    assert run(photos) == 0
    assert holds(photos) == undisturbed
