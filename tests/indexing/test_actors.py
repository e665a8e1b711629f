"""actors.py: a cluster spots the files of a run; what Ray does itself is a stand-in here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from gallery_fixtures import MODEL, OTHER_MODEL, ColourSpotter, photo_bytes

from stsearch.errors import DeviceError, UsageError, WeightsError
from stsearch.gallery.catalog import PhotoFile, Record
from stsearch.gallery.gallery import Gallery
from stsearch.indexing.actors import Actors, Share
from stsearch.indexing.indexer import IndexOptions, index_photos
from stsearch.indexing.sources import SentSource
from stsearch.indexing.walk import NEVER
from stsearch.indexing.worker import Worker
from stsearch.indexing.worker_messages import Networks
from stsearch.indexing.worker_processes import Loaded
from stsearch.types import ModelInfo
from stsearch.worker_process import Message, NoAnswerError

Answer = Callable[[Worker, Message, bytes], tuple[Message, bytes]]


class FakeActor:
    """Answers in the thread that asks, until it dies."""

    def __init__(self, answer: Answer) -> None:
        self._worker = Worker(lambda _: SentSource())
        self._answer = answer
        self.is_dead = threading.Event()

    def ask(self, request: Message, payload: bytes = b"") -> tuple[Message, bytes]:
        if self.is_dead.is_set():
            raise NoAnswerError("an actor")
        return self._answer(self._worker, request, payload)

    def kill(self) -> None:
        self.is_dead.set()


class FakeCluster:
    """Machines of this process; ``answer`` is what actors do."""

    cores, gpus = 2, 0

    def __init__(self) -> None:
        self.started = list[FakeActor]()
        self.shares = set[float]()
        self.answer: Answer = Worker.answer

    def start(self, gpus: float) -> FakeActor:
        self.shares.add(gpus)
        self.started.append(FakeActor(self.answer))
        return self.started[-1]


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    found = FakeCluster()

    @contextmanager
    def connect(_address: str, _cores: int) -> Iterator[FakeCluster]:
        yield found

    monkeypatch.setattr("stsearch.indexing.cluster.connect", connect)
    monkeypatch.setattr("stsearch.spotting.load.load_spotter", lambda *_: ColourSpotter())
    return found


def actors(
    info: ModelInfo = MODEL, device: str = "auto", loaded: Callable[[Loaded], None] = lambda _: None
) -> Actors:
    return Actors(info, Networks("letters", device, "ray", True), "ray", None, loaded)


def photos(folder: Path, *blues: int) -> Gallery:
    folder.mkdir()
    for blue in blues:
        (folder / f"{blue:03}.png").write_bytes(photo_bytes("hotel", blue=blue))
    return Gallery.create(folder / ".stsearch", folder, MODEL)


def test_actors_find_what_this_process_finds(tmp_path: Path, machines: FakeCluster) -> None:
    told, kept = list[Loaded](), []
    for name, spotter in (("a", ColourSpotter()), ("b", actors(loaded=told.append))):
        with photos(tmp_path / name, *range(9)) as made:
            (tmp_path / name / "damaged.png").write_bytes(photo_bytes("exit")[:60])
            index_photos(made, spotter)
            table = made.instances()
            kept.append((table.transcripts, table.confidences.tolist(), made.catalog.failures()))
    assert kept[0][:2] == kept[1][:2]
    assert [each.reason for each in kept[0][2]] == [each.reason for each in kept[1][2]]
    assert told == [Loaded("cpu", "none")]
    assert len(machines.started) == 2
    assert all(each.is_dead.is_set() for each in machines.started)


def test_what_gpus_spot_in_batches_is_committed_in_batches(
    tmp_path: Path, machines: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines.gpus, sizes = 1, list[int]()
    with photos(tmp_path / "photos", *range(70)) as made:
        add = made.add

        def count_and_add(batch: Sequence[Record]) -> None:
            sizes.append(len(batch))
            add(batch)

        monkeypatch.setattr(made, "add", count_and_add)
        index_photos(made, actors())
    assert sizes == [0, 1, 32, 32, 5]  # the first alone, so that it can be found at once


def test_a_file_that_actors_die_over_fails_by_name_and_all_others_are_found(
    tmp_path: Path, machines: FakeCluster
) -> None:
    def die(worker: Worker, request: Message, payload: bytes) -> tuple[Message, bytes]:
        if "003.png" in str(request):
            raise NoAnswerError("an actor of Ray")
        return worker.answer(request, payload)

    machines.answer = die
    with photos(tmp_path / "photos", *range(6)) as made:
        index_photos(made, actors())
        [failed] = made.catalog.failures()
        assert failed.file == PhotoFile("003.png", failed.file.size, NEVER)  # it is tried again
        assert failed.reason == "the process that looked for its words ended (an actor of Ray)"
        assert made.catalog.counts().photos == 5
    assert len(machines.started) == 4


def test_an_actor_that_died_once_is_replaced_and_nothing_is_lost(
    tmp_path: Path, machines: FakeCluster
) -> None:
    deaths = ["first"]

    def die(worker: Worker, request: Message, payload: bytes) -> tuple[Message, bytes]:
        if "003.png" in str(request) and deaths:
            raise NoAnswerError(deaths.pop())
        return worker.answer(request, payload)

    machines.answer = die
    with photos(tmp_path / "photos", *range(6)) as made:
        assert index_photos(made, actors()).new == 6
    assert len(machines.started) == 3


def test_actors_that_die_while_they_load_end_the_run(tmp_path: Path, machines: FakeCluster) -> None:
    def die(_worker: Worker, _request: Message, _payload: bytes) -> tuple[Message, bytes]:
        raise NoAnswerError("an actor of Ray")

    machines.answer = die
    with photos(tmp_path / "photos", 1) as made, pytest.raises(DeviceError, match="ends again and again"):
        index_photos(made, actors())


def test_weights_that_machines_lack_or_have_otherwise_are_named(
    tmp_path: Path, machines: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with photos(tmp_path / "photos", 1) as made:
        with pytest.raises(WeightsError, match=r"other weights letters \(sha256 abababababab\)"):
            index_photos(made, actors(OTHER_MODEL))

        def lack(*_: object) -> ColourSpotter:
            raise WeightsError("no weights 'letters'")

        monkeypatch.setattr("stsearch.spotting.load.load_spotter", lack)
        with pytest.raises(WeightsError, match="no weights 'letters'"):
            index_photos(made, actors())
        assert made.catalog.counts().photos == 0


def test_a_cluster_without_room_is_told(
    tmp_path: Path, machines: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stsearch.indexing.actors._PLACED_S", 0.01)
    over = threading.Event()

    def wait(worker: Worker, request: Message, payload: bytes) -> tuple[Message, bytes]:
        over.wait()
        raise NoAnswerError("killed")

    machines.answer = wait
    with photos(tmp_path / "photos", 1) as made:
        monkeypatch.setattr(FakeActor, "kill", lambda _: over.set())
        with pytest.raises(DeviceError, match="no room for an actor"):
            index_photos(made, actors())


def test_what_is_known_starts_nothing(tmp_path: Path, machines: FakeCluster) -> None:
    with photos(tmp_path / "photos", 1, 2) as made:
        index_photos(made, actors())
        before = len(machines.started)
        assert index_photos(made, actors()).unchanged == 2
    assert len(machines.started) == before


def test_a_file_too_large_to_be_kept_is_sent_whole(
    tmp_path: Path, machines: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stsearch.indexing.reader._MAX_KEPT", 10)
    with photos(tmp_path / "photos", 1, 2) as made:
        assert index_photos(made, actors(), IndexOptions()).new == 2


@pytest.mark.parametrize(
    ("cores", "gpus", "device", "wanted", "expected"),
    [
        pytest.param(6, 0, "auto", None, Share(6, 0.0), id="a core each"),
        pytest.param(6, 0, "auto", 3, Share(3, 0.0), id="as many as are wanted"),
        pytest.param(16, 2, "cpu", None, Share(16, 0.0), id="no GPU wanted"),
        pytest.param(16, 2, "auto", None, Share(8, 0.25), id="four share a GPU"),
        pytest.param(96, 1, "cuda", None, Share(12, 0.0833), id="no more than twelve share one"),
        pytest.param(2, 4, "auto", None, Share(4, 1.0), id="few cores"),
        pytest.param(16, 2, "auto", 3, Share(3, 0.5), id="three on two GPUs"),
    ],
)
def test_cores_or_gpus_are_shared_out(
    cores: int, gpus: int, device: str, wanted: int | None, expected: Share
) -> None:
    assert Share.of(cores, gpus, device, wanted) == expected


def test_a_gpu_that_no_machine_has_is_refused() -> None:
    with pytest.raises(DeviceError, match="no machine of Ray has a GPU"):
        Share.of(4, 0, "cuda", None)


def test_a_gpu_by_number_is_refused() -> None:
    with pytest.raises(UsageError, match="not cuda:1"):
        actors(device="cuda:1").check()
