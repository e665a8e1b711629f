"""worker_processes.py, worker.py, worker_messages.py: processes with networks of their own spot files."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from gallery_fixtures import MODEL, ColourSpotter, photo_bytes, spotted

from stsearch.errors import DeviceError, GalleryLockedError, WeightsError
from stsearch.gallery.catalog import Failed, PhotoFile, Record, Spotted
from stsearch.gallery.gallery import Gallery
from stsearch.images.files import Content
from stsearch.indexing.indexer import index_photos
from stsearch.indexing.stages import ReadFile
from stsearch.indexing.walk import NEVER
from stsearch.indexing.worker_messages import (
    Networks,
    pack_files,
    pack_records,
    unpack_files,
    unpack_records,
)
from stsearch.indexing.worker_processes import Loaded, WorkerProcesses
from stsearch.spotting.load import load_spotter
from stsearch.types import TextInstance
from stsearch.weights.card import check_weights
from stsearch.worker_process import WorkerProcess, pack_error, raise_error

# A worker whose spotter needs no weights, and crashes over a photograph whose blue is 13.
CRASHING = """
import os
from gallery_fixtures import ColourSpotter
from stsearch.indexing import worker
from stsearch.spotting import load

class Spotter(ColourSpotter):
    def spot(self, images):
        if images[0][0, 0, 2] == 13:
            os.abort()
        return super().spot(images)

def load_spotter(model, *_):
    if model == "crashing":
        os.abort()
    return Spotter()

load.load_spotter = load_spotter
worker.main()
"""


@pytest.fixture
def crashing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "crashing_worker.py").write_text(CRASHING)
    monkeypatch.syspath_prepend(str(modules))
    monkeypatch.setattr("stsearch.indexing.worker_processes._MODULE", "crashing_worker")


def processes(model: str = "letters", count: int = 2) -> WorkerProcesses:
    return WorkerProcesses(MODEL, Networks(model, "cpu", "auto", True), count, on_cpu=True)


def photos(folder: Path, *blues: int) -> Path:
    folder.mkdir()
    for blue in blues:
        (folder / f"{blue:03}.png").write_bytes(photo_bytes("hotel", blue=blue))
    return folder


def gallery(folder: Path) -> Gallery:
    return Gallery.create(folder / ".stsearch", folder, MODEL)


def test_files_and_records_arrive_as_they_were_sent() -> None:
    file = PhotoFile("caf\udce9.jpg", 3, -(2**62))
    sent = [ReadFile(file, Content("a", b"\x00\xff")), ReadFile(file, Content("b", None))]
    assert [
        (each.file, each.content.sha256, each.content.encoded) for each in unpack_files(*pack_files(sent))
    ] == [
        (file, "a", b"\x00\xff"),
        (file, "b", None),
    ]
    polygon = np.array([[0.1, 2], [3, 4], [5, 6], [7, 8], [9, 1e7]], np.float32)
    word = TextInstance(
        polygon, 0.3, "naïve", 0.1 + 0.2, np.full(7, 1 / 3, np.float32), (0.7, 1.0), b"\x01", 3
    )
    bare = TextInstance(polygon[:4], 1.0, "", 0.0, np.zeros(7, np.float32))
    photo = spotted("a.jpg", "exit")
    failed = Failed(file, "damaged")
    records: list[Record] = [
        photo,
        failed,
        type(photo)(file, "c", 4, 5, [word, bare], "2020-01-01T00:00:00", "x", True),
    ]
    received = unpack_records(*pack_records(records))
    assert [each.file for each in received] == [each.file for each in records]
    assert received[1] == failed
    copy = received[2]
    assert isinstance(copy, Spotted)
    assert (copy.sha256, copy.height, copy.width, copy.taken, copy.note, copy.is_rough) == (
        "c",
        4,
        5,
        "2020-01-01T00:00:00",
        "x",
        True,
    )
    for there, here in zip(copy.instances, (word, bare), strict=True):
        assert (there.polygon == here.polygon).all()
        assert (there.embedding == here.embedding).all()
        rest = ("score", "transcript", "confidence", "characters", "ctc_posteriors", "page")
        assert [getattr(there, name) for name in rest] == [getattr(here, name) for name in rest]


def test_errors_arrive_as_what_they_were() -> None:
    with pytest.raises(WeightsError, match=r"^gone$"):
        raise_error(pack_error(WeightsError("gone")))
    with pytest.raises(GalleryLockedError):
        raise_error(pack_error(GalleryLockedError("busy")))
    raise_error({"device": "cpu"})


def test_the_gallery_is_the_one_that_a_single_process_makes(
    tmp_path: Path, tiny_weights: Path, rendered_gallery: Path
) -> None:
    signs = tmp_path / "signs"
    signs.mkdir()
    for photo in sorted(rendered_gallery.glob("*.jpg"))[:3]:
        shutil.copy(photo, signs)
    (signs / "empty.jpg").touch()
    (signs / "text.png").write_text("no picture")
    (signs / "damaged.jpg").write_bytes(sorted(signs.iterdir())[0].read_bytes()[:300])
    info, told = check_weights(str(tiny_weights)).info, list[Loaded]()
    networks = Networks(str(tiny_weights), "cpu", "auto", True)
    several = WorkerProcesses(info, networks, 2, True, told.append)
    kept = []
    for place, spotter in (("a", load_spotter(str(tiny_weights), "cpu").for_indexing(1)), ("b", several)):
        with Gallery.create(tmp_path / place, signs, info) as made:
            index_photos(made, spotter)
            table = made.instances()
            kept.append((table.transcripts, np.round(table.confidences, 4).tolist(), made.catalog.failures()))
    assert kept[0] == kept[1]
    assert len(kept[0][0]) >= 3
    assert [each.device for each in told] == ["cpu"]


@pytest.mark.usefixtures("crashing")
def test_a_process_that_crashes_costs_the_photograph_it_was_at(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", *range(10, 16))
    with gallery(folder) as made:
        index_photos(made, processes())
        assert made.catalog.counts().photos == 5
        [failed] = made.catalog.failures()
        assert failed.file == PhotoFile("013.png", failed.file.size, NEVER)  # it is tried again
        assert failed.reason == f"the process that looked for its words ended ({signal.SIGABRT:d})"
        assert index_photos(made, ColourSpotter()).failed == 0


@pytest.mark.usefixtures("crashing")
def test_processes_that_crash_over_every_photograph_end_the_run(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", 1, 13)
    for name in "abc":
        (folder / f"{name}.png").write_bytes(photo_bytes("exit", blue=13, size=(64, 50 + ord(name))))
    with gallery(folder) as made:
        with pytest.raises(DeviceError, match=r"ends again and again \(6\), as with too little memory"):
            index_photos(made, processes(count=1))
        assert made.catalog.counts().photos == 1


@pytest.mark.usefixtures("crashing")
def test_processes_that_cannot_load_end_the_run(tmp_path: Path) -> None:
    with (
        gallery(photos(tmp_path / "photos", 1)) as made,
        pytest.raises(DeviceError, match="too little memory"),
    ):
        index_photos(made, processes("crashing"))


def test_what_weights_lack_is_said_by_the_run(tmp_path: Path) -> None:
    with gallery(photos(tmp_path / "photos", 1)) as made, pytest.raises(WeightsError, match="absent"):
        index_photos(made, processes(str(tmp_path / "absent")))


@pytest.mark.usefixtures("crashing")
def test_one_that_somebody_killed_is_replaced_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, asked = WorkerProcess.ask, list[WorkerProcess]()

    def kill_second(process: WorkerProcess, *request: object) -> object:
        asked.append(process)
        if len(asked) == 3:  # the first loads the networks
            os.kill(process._process.pid, signal.SIGKILL)
        return ask(process, *request)  # type: ignore[arg-type]

    monkeypatch.setattr(WorkerProcess, "ask", kill_second)
    with gallery(photos(tmp_path / "photos", 1, 2, 3, 4)) as made:
        assert index_photos(made, processes(count=1)).new == 4
    assert len({process._process.pid for process in asked}) == 2


@pytest.mark.usefixtures("crashing")
def test_processes_end_with_the_run_not_before_and_none_is_started_for_what_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, start = list[int](), WorkerProcess.__init__

    def note(process: WorkerProcess, *how: object) -> None:
        start(process, *how)  # type: ignore[arg-type]
        started.append(process._process.pid)

    monkeypatch.setattr(WorkerProcess, "__init__", note)
    monkeypatch.setattr(Gallery, "share", lambda _, files, __: ([each] for each in files))
    with gallery(photos(tmp_path / "photos", 1, 2, 3, 4, 5, 6)) as made:
        index_photos(made, processes())
        assert 1 <= len(started) <= 2
        for worker in started:
            with pytest.raises(ProcessLookupError):
                os.kill(worker, 0)
        before = len(started)
        assert index_photos(made, processes()).unchanged == 6
    assert len(started) == before
