"""Processes that decode and spot the files of a run, so that Python is busy on every core.

Threads of one process hold each other up wherever they are in Python and not in a library. A process that
crashes, or that the system kills for its memory, costs the file that it was at.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from stsearch.errors import DeviceError
from stsearch.gallery.catalog import Record
from stsearch.images.memory import DECODING
from stsearch.indexing.crashes import CrashCounter, ends_again
from stsearch.indexing.photo_worker import Batching
from stsearch.indexing.reader import ReadLimits, memory_to_decode
from stsearch.indexing.stages import ReadFile
from stsearch.indexing.worker_messages import (
    Networks,
    WorkerSettings,
    pack_files,
    pack_settings,
    unpack_records,
)
from stsearch.objects.url import Location
from stsearch.types import ModelInfo
from stsearch.worker_pool import usable_cores
from stsearch.worker_process import Message, NoAnswerError, ProcessPool, WorkerProcess, raise_error

_MODULE = "stsearch.indexing.worker"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the processes compute with.

    Attributes:
        device: as text.
        precision: what they compute in, and with which library, as text.
    """

    device: str
    precision: str


class FirstLoaded:
    """Tells what workers compute with once the first of them is ready; for several threads."""

    def __init__(self, tell: Callable[[Loaded], None]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._is_told = False

    def __call__(self, answer: Message) -> None:
        """Take what a worker answers when it has loaded its networks."""
        with self._lock:
            if not self._is_told:
                self._is_told = True
                self._tell(Loaded(str(answer["device"]), str(answer["precision"])))


@dataclass(frozen=True, slots=True)
class WorkerProcesses:
    """Processes, each with networks of its own, that are started when the first files need them.

    Attributes:
        info: of the weights.
        networks: that each loads.
        count: how many there are at most.
        on_cpu: whether they compute on a CPU.
        loaded: is told once, when the first is ready.
    """

    info: ModelInfo
    networks: Networks
    count: int
    on_cpu: bool
    loaded: Callable[[Loaded], None] = lambda _: None

    def of_run(self, root: Location, limits: ReadLimits, batch: int) -> RunningProcesses:
        """Return the processes for the files in a folder; arguments as of ``WorkerSettings``."""
        cores = max(1, usable_cores() // self.count)
        settings = WorkerSettings(self.networks, str(root), limits, batch, cores)
        return RunningProcesses(settings, self.count, Batching.of(batch, not self.on_cpu), self.loaded)


class RunningProcesses:
    """The processes of a run; fulfils ``workers.Workers``."""

    def __init__(
        self,
        settings: WorkerSettings,
        count: int,
        batching: Batching,
        loaded: Callable[[Loaded], None],
    ) -> None:
        self.count = count
        self.batching = batching
        self._settings = settings
        self._loaded = FirstLoaded(loaded)
        self._counter = CrashCounter(self._ask_process)
        self._pool = ProcessPool(count, self._start)

    def __enter__(self) -> Self:
        self._pool.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.__exit__(kind, error, trace)

    def spot(self, files: Sequence[ReadFile]) -> list[Record]:
        """Return the record of each of ``files``, as ``workers.Workers`` says.

        Raises:
            DeviceError: processes end wherever they are at.
        """
        return self._counter.spot(files)

    def _ask_process(self, files: Sequence[ReadFile]) -> list[Record]:
        memory = max(memory_to_decode(file.content, self._settings.limits) for file in files)
        with self._pool.lend() as process, DECODING.take(memory):
            return unpack_records(*_ask(process, *pack_files(files)))

    def _start(self) -> WorkerProcess:
        """Start a process, and have it load the networks."""
        threads = str(self._settings.cores)
        try:
            process = WorkerProcess(_MODULE, {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads})
        except OSError as error:
            raise DeviceError(f"no process can be started that looks for words: {error}") from error
        except NoAnswerError as error:
            raise ends_again(error) from error
        try:
            loaded, _ = _ask(process, pack_settings(self._settings))
        except NoAnswerError as error:
            process.kill()
            raise ends_again(error) from error
        except BaseException:
            process.kill()
            raise
        self._loaded(loaded)
        return process


def _ask(process: WorkerProcess, request: Message, payload: bytes = b"") -> tuple[Message, bytes]:
    """Return what ``process`` answers, or raise the error that it met."""
    answer, found = process.ask(request, math.inf, payload)
    raise_error(answer)
    return answer, found
