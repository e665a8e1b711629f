"""cluster.py: a real Ray of this machine, and what is said where there is none."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from gallery_fixtures import MODEL, ColourSpotter, photo_bytes

from stsearch.errors import DeviceError, UsageError
from stsearch.gallery.gallery import Gallery
from stsearch.indexing import cluster
from stsearch.indexing.actors import Actors
from stsearch.indexing.indexer import index_photos
from stsearch.indexing.worker_messages import Networks

# Actors whose spotter needs no weights. Over a photograph whose blue is 13 any is killed, over one whose blue
# is 17 the first.
DYING = """
import os, signal
from pathlib import Path
from gallery_fixtures import ColourSpotter
from stsearch.indexing import cluster

class Spotter(ColourSpotter):
    def spot(self, images):
        blue = images[0][0, 0, 2]
        if blue == 13 or (blue == 17 and not MARK.exists()):
            MARK.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().spot(images)

class Actor(cluster.SpotterActor):
    def __init__(self):
        from stsearch.spotting import load
        load.load_spotter = lambda *_: Spotter()
        super().__init__()
"""
INDEX = """
import sys
import dying_actor
from gallery_fixtures import MODEL
from stsearch.cli import signals
from stsearch.gallery.gallery import Gallery
from stsearch.indexing import cluster
from stsearch.indexing.actors import Actors
from stsearch.indexing.indexer import index_photos
from stsearch.indexing.worker_messages import Networks

signals.install()
cluster.SpotterActor = dying_actor.Actor
actors = Actors(MODEL, Networks("letters", "cpu", "ray", True), "ray", 2)
with Gallery.create(sys.argv[2], sys.argv[1], MODEL) as gallery:
    index_photos(gallery, actors, progress=lambda now: print(now.done, flush=True))
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the command that indexes one folder into another with such actors."""
    pytest.importorskip("ray", reason="Ray is missing: pip install 'stsearch[ray]'")
    modules = tmp_path / "modules"
    modules.mkdir()
    mark = f"MARK = Path({str(modules / 'mark')!r})\n"
    (modules / "dying_actor.py").write_text(DYING + mark)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(modules), *filter(None, sys.path)]))
    return [sys.executable, "-c", INDEX]


def photos(folder: Path, *blues: int) -> Path:
    folder.mkdir()
    for blue in blues:
        (folder / f"{blue:03}.png").write_bytes(photo_bytes("hotel", blue=blue))
    return folder


def processes_of(folder: Path) -> list[int]:
    """Return the processes whose command line or environment names ``folder``."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(folder).encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.mark.slow
def test_a_real_ray_makes_the_same_gallery_loses_one_file_and_leaves_nothing_behind(
    tmp_path: Path, program: list[str]
) -> None:
    folder = photos(tmp_path / "photos", 1, 2, 3, 13, 17, 18)
    done = subprocess.run(
        [*program, str(folder), str(tmp_path / "a")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "".join(f"{number}\n" for number in range(7))
    with Gallery.create(tmp_path / "a", folder, MODEL) as made:
        [failed] = made.catalog.failures()
        assert failed.file.path == "013.png"
        assert failed.reason == "the process that looked for its words ended (an actor of Ray)"
        assert index_photos(made, ColourSpotter()).new == 1
        by_ray = made.instances()
        with Gallery.create(tmp_path / "b", folder, MODEL) as alone:
            index_photos(alone, ColourSpotter())
            here = alone.instances()
            assert sorted(by_ray.transcripts) == sorted(here.transcripts)
            assert by_ray.confidences.tolist() == here.confidences.tolist()
    assert processes_of(tmp_path) == []


@pytest.mark.slow
def test_sigterm_ends_ray_too_and_keeps_what_was_done(tmp_path: Path, program: list[str]) -> None:
    folder = photos(tmp_path / "photos", *range(30, 230))
    running = subprocess.Popen(
        [*program, str(folder), str(tmp_path / "a")], stdout=subprocess.PIPE, text=True
    )
    with running:
        assert running.stdout is not None
        for done in ("0\n", "1\n", "2\n"):  # with the second the first is in the gallery
            assert running.stdout.readline() == done
        running.send_signal(signal.SIGTERM)
        assert running.wait(30) == 128 + signal.SIGTERM
    assert processes_of(tmp_path) == []
    with Gallery.create(tmp_path / "a", folder, MODEL) as made:
        assert made.catalog.counts().photos > 0


def test_no_ray_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"^Ray is not installed: pip install 'stsearch\[ray\]'$"):
        Actors(MODEL, Networks("letters", "cpu", "ray", True), "ray").check()


@pytest.mark.parametrize("address", ["ray://", "ray://:10001", "ray://host:port", "ray://host:99999"])
def test_what_is_no_address_of_a_head_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="write ray://HOST:10001"):
        cluster.check_address(address)


def test_a_head_that_is_not_there_is_told_at_once() -> None:
    pytest.importorskip("ray", reason="Ray is missing: pip install 'stsearch[ray]'")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        address = f"ray://127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(DeviceError, match=rf"^no Ray is reached at {address}: Connection refused"),
            cluster.connect(address, 1),
        ):
            pass


def test_only_ray_and_urls_of_heads_stand_for_ray() -> None:
    assert [
        each for each in ("ray", "ray://head:10001", "rays", "torch", "auto") if cluster.is_ray(each)
    ] == [
        "ray",
        "ray://head:10001",
    ]
