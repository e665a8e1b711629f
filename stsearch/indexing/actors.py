"""Actors of a cluster that decode and spot the files of a run.

What was done the gallery remembers, not the cluster: an actor that dies costs the files it was at, and
another takes its place. Photographs are sent with their bytes: no machine of a cluster needs their folder.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Protocol, Self

from stsearch.errors import DeviceError, StsearchError, UsageError, WeightsError
from stsearch.gallery.catalog import Record
from stsearch.images.files import Content
from stsearch.indexing import cluster
from stsearch.indexing.crashes import MAX_CRASHES, CrashCounter, ends_again
from stsearch.indexing.photo_worker import Batching
from stsearch.indexing.reader import ReadLimits
from stsearch.indexing.sources import source_of
from stsearch.indexing.stages import ReadFile
from stsearch.indexing.worker_count import GPU_CORES, count_per_gpu, worker_count
from stsearch.indexing.worker_messages import (
    Networks,
    WorkerSettings,
    pack_files,
    pack_settings,
    unpack_records,
)
from stsearch.indexing.worker_processes import FirstLoaded, Loaded
from stsearch.objects.url import Location
from stsearch.types import ModelInfo
from stsearch.worker_process import Message, NoAnswerError, PoolClosedError, raise_error

_PLACED_S = 300.0  # until one is there: a cluster may start machines first
_CLOSED_S = 5.0


@dataclass(frozen=True, slots=True)
class Actors:
    """Actors, each with networks of its own, that are started when the first files need them.

    Attributes:
        info: of the weights.
        networks: that each loads; their engine is the best that it has.
        address: of the cluster, as of ``cluster.connect``.
        count: how many there are at most; None: as many as there are cores, or as keep the GPUs busy.
        loaded: is told once, when the first is ready.
    """

    info: ModelInfo
    networks: Networks
    address: str
    count: int | None = None
    loaded: Callable[[Loaded], None] = lambda _: None

    def check(self) -> None:
        """Check what can be checked without starting anything.

        Raises:
            UsageError: the address is none, a GPU is named, or Ray is not installed.
        """
        device = self.networks.device
        if device not in ("auto", "cpu", "cuda"):
            raise UsageError(f"Ray shares out the GPUs itself: --device auto, cpu or cuda, not {device}")
        cluster.check_address(self.address)

    def of_run(self, root: Location, limits: ReadLimits, batch: int) -> RunningActors:
        """Return the actors for the files in a folder; arguments as of ``WorkerSettings``."""
        return RunningActors(self, root, WorkerSettings(self.networks, "", limits, batch, 1))


@dataclass(frozen=True, slots=True)
class Share:
    """How many actors there are, and what each has.

    Attributes:
        count: of actors.
        gpus: of each; 0: it computes on a CPU.
    """

    count: int
    gpus: float

    @classmethod
    def of(cls, cores: int, gpus: int, device: str, wanted: int | None) -> Share:
        """Share out the cores or the GPUs of a cluster; ``wanted`` actors, or as many as keep them busy.

        Raises:
            DeviceError: there is no GPU, and ``device`` asks for one.
        """
        if device == "cuda" and not gpus:
            raise DeviceError("no machine of Ray has a GPU: leave --device cuda out")
        if device == "cpu" or not gpus:
            return cls(wanted or max(1, cores), 0.0)
        per_gpu = -(-wanted // gpus) if wanted else count_per_gpu(cores // gpus)
        return cls(wanted or per_gpu * gpus, 10_000 // per_gpu / 10_000)  # the parts that Ray counts in


class RunningActors:
    """The actors of a run; fulfils ``workers.Workers``."""

    def __init__(self, actors: Actors, root: Location, settings: WorkerSettings) -> None:
        self._actors = actors
        self._source = source_of(root)
        self._settings = settings
        self._counter = CrashCounter(self._ask)
        self._stack = ExitStack()
        self._loaded = FirstLoaded(actors.loaded)
        self.count = 1
        self.batching = Batching.of(settings.batch, in_batches=False)

    def __enter__(self) -> Self:
        actors, device = self._actors, self._actors.networks.device
        local = actors.count or worker_count(on_cpu=True)
        with ExitStack() as stack:
            machines = stack.enter_context(cluster.connect(actors.address, local))
            share = Share.of(machines.cores, machines.gpus, device, actors.count)
            networks = replace(actors.networks, device="cuda" if share.gpus else "cpu", engine="auto")
            cores = GPU_CORES if share.gpus else 1
            settings = replace(self._settings, networks=networks, cores=cores)
            self.count = share.count
            self.batching = Batching.of(settings.batch, in_batches=share.gpus > 0)
            self._pool = stack.enter_context(
                ActorPool(
                    share.count,
                    lambda: machines.start(share.gpus),
                    lambda actor: self._load(actor, settings),
                )
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def spot(self, files: Sequence[ReadFile]) -> list[Record]:
        """Return the record of each of ``files``, as ``workers.Workers`` says.

        Raises:
            DeviceError: actors die wherever they are at, or the cluster is gone.
        """
        return self._counter.spot(files)

    def _ask(self, files: Sequence[ReadFile]) -> list[Record]:
        request, payload = pack_files([self._with_bytes(file) for file in files])
        with self._pool.lend() as actor:
            answer, found = actor.ask(request, payload)
        raise_error(answer)
        return unpack_records(answer, found)

    def _with_bytes(self, file: ReadFile) -> ReadFile:
        if file.content.encoded is not None:
            return file
        on_disk = self._source.on_disk(file.file, file.content)
        return ReadFile(file.file, Content(file.content.sha256, on_disk.path.read_bytes()))

    def _load(self, actor: Actor, settings: WorkerSettings) -> None:
        """Have an actor load the networks, which must be those of this machine."""
        loaded, _ = actor.ask(pack_settings(settings))
        raise_error(loaded)
        actors = self._actors
        name, ours = actors.networks.model, actors.info.sha256
        if loaded["sha256"] != ours:
            raise WeightsError(
                f"the machines of Ray have other weights {name} (sha256 {str(loaded['sha256'])[:12]}) than"
                f" this one ({ours[:12]}): install the same on each"
            )
        self._loaded(loaded)


class Actor(Protocol):
    """What ``cluster.Cluster.start`` returns."""

    def ask(self, request: Message, payload: bytes = b"") -> tuple[Message, bytes]:
        """Return the answer to ``request``, or raise ``NoAnswerError`` where it died."""

    def kill(self) -> None:
        """End it."""


class ActorPool:
    """Actors that are lent to threads once they are ready; one that dies is replaced.

    Args:
        count: of actors.
        start: asks for one.
        load: has it load its networks, however long it takes until there is room for it.
    """

    def __init__(self, count: int, start: Callable[[], Actor], load: Callable[[Actor], None]) -> None:
        self._count = count
        self._start = start
        self._load = load
        self._idle: list[Actor] = []
        self._living: set[Actor] = set()  # or waiting for room
        self._threads: set[threading.Thread] = set()
        self._ready = 0
        self._crashes = 0  # in a row
        self._error: StsearchError | None = None
        self._is_closed = False
        self._changed = threading.Condition()

    def __enter__(self) -> Self:
        with self._changed:
            for _ in range(self._count):
                self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            living, threads = list(self._living), list(self._threads)
        for actor in living:
            actor.kill()  # whoever waits for an answer gets none
        for thread in threads:
            thread.join(_CLOSED_S)

    @contextmanager
    def lend(self) -> Iterator[Actor]:
        """Lend an actor to this thread.

        Raises:
            PoolClosedError: the pool is closed.
            DeviceError: there is no room for any, or none can load the networks.
            StsearchError: what keeps one from loading them.
        """
        actor = self._take()
        try:
            yield actor
        except BaseException:
            actor.kill()
            with self._changed:
                self._living.discard(actor)
                self._ready -= 1
                if not self._is_closed:
                    self._begin()
            raise
        with self._changed:
            self._idle.append(actor)
            self._changed.notify()

    def _take(self) -> Actor:
        with self._changed:
            while not self._changed.wait_for(
                lambda: self._idle or self._error or self._is_closed, timeout=_PLACED_S
            ):
                if not self._ready:
                    raise DeviceError(
                        f"Ray has had no room for an actor in {_PLACED_S / 60:.0f} minutes: stop what else"
                        " uses it, or run the same command later"
                    )
            if self._error:
                raise self._error
            if self._is_closed:
                raise PoolClosedError
            return self._idle.pop()

    def _begin(self) -> None:
        """Ask for one more actor; the lock is held."""
        actor = self._start()
        self._living.add(actor)
        thread = threading.Thread(target=self._bring_up, args=(actor,), daemon=True)
        self._threads.add(thread)
        thread.start()

    def _bring_up(self, actor: Actor) -> None:
        """Wait until an actor is ready, and lend it from then on."""
        error: StsearchError | None = None
        has_died = False
        try:
            self._load(actor)
        except NoAnswerError as no_answer:
            has_died, error = True, ends_again(no_answer)
        except StsearchError as raised:
            error = raised
        with self._changed:
            self._threads.discard(threading.current_thread())
            if error is None:
                self._ready += 1
                self._crashes = 0
                self._idle.append(actor)
            elif not self._is_closed:
                self._living.discard(actor)
                self._crashes += has_died
                if has_died and self._crashes < MAX_CRASHES:
                    self._begin()
                else:
                    self._error = error
            self._changed.notify_all()
