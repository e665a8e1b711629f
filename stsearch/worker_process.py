"""A second process that answers requests, and is killed when an answer takes too long.

What hangs or crashes in it, such as a decoder or a file of a mount that is gone, costs its request and leaves
nothing behind in this process. Requests and answers are JSON with bytes; nothing is pickled, and the main
module of the program is not run again, as it would be by ``multiprocessing``.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from types import MappingProxyType, TracebackType
from typing import IO, Self

from stsearch import errors
from stsearch.errors import StsearchError

Message = Mapping[str, object]
"""Values that JSON has."""

_START_S = 60.0  # to start Python and import libraries, on a busy machine with a slow disk
_POLL_MS = 1000
_CHUNK = 1 << 20


class NoAnswerError(Exception):
    """The process took too long and was killed, or it ended.

    Attributes:
        ended_by: the number of the signal that ended it, its exit code, words where there is no number, or
            None where it took too long.
    """

    def __init__(self, ended_by: int | str | None) -> None:
        super().__init__("it took too long" if ended_by is None else f"its process ended ({ended_by})")
        self.ended_by = ended_by


class WorkerProcess:
    """Runs a module, whose main part calls :func:`serve`, and asks it one thing after the other.

    Args:
        module: its name.
        environment: variables that it has beside those of this process.

    Raises:
        OSError: it cannot be started.
        NoAnswerError: it ended before it was ready.
    """

    def __init__(self, module: str, environment: Mapping[str, str] = MappingProxyType({})) -> None:
        paths = os.pathsep.join(path for path in sys.path if path)  # it imports what this process would
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **environment, "PYTHONPATH": paths},
            start_new_session=True,  # Ctrl-C in the terminal is for this process alone
        )
        try:
            self._receive(_START_S)
        except BaseException:
            self.kill()
            raise

    def ask(self, request: Message, timeout_s: float, payload: bytes = b"") -> tuple[Message, bytes]:
        """Return the answer to ``request`` with ``payload``: a message, and bytes.

        Raises:
            NoAnswerError: there was none in ``timeout_s``; the process has ended.
        """
        try:
            assert self._process.stdin is not None
            _send(self._process.stdin, request, payload)
        except OSError as error:  # a broken pipe
            raise NoAnswerError(self._process.wait()) from error
        return self._receive(timeout_s)

    def interrupt(self) -> None:
        """End the process while another thread asks it, which gets no answer and is to call ``kill``."""
        self._process.kill()

    def kill(self) -> None:
        """End the process at once, and forget it; one that the kernel does not let go of is left to it."""
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            with suppress(OSError):  # what was not sent yet cannot be any more
                stream.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)

    def _receive(self, timeout_s: float) -> tuple[Message, bytes]:
        deadline = time.monotonic() + timeout_s
        sizes = self._read(16, deadline)
        message, payload = int.from_bytes(sizes[:8], "big"), int.from_bytes(sizes[8:], "big")
        return json.loads(self._read(message, deadline)), self._read(payload, deadline)

    def _read(self, size: int, deadline: float) -> bytes:
        """Return the next ``size`` bytes; what does not come in time kills the process."""
        assert self._process.stdout is not None
        descriptor, received = self._process.stdout.fileno(), bytearray()
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        while len(received) < size:
            left_ms = 1000 * (deadline - time.monotonic())
            if left_ms <= 0:
                self.kill()
                raise NoAnswerError(None)
            if waiting.poll(min(left_ms, _POLL_MS)):
                chunk = os.read(descriptor, min(size - len(received), _CHUNK))
                if not chunk:
                    code = self._process.wait()
                    raise NoAnswerError(abs(code))
                received += chunk
        return bytes(received)


class PoolClosedError(Exception):
    """The pool that a process was wanted of is closed."""


class ProcessPool:
    """Processes that are started when they are needed, and end with the context.

    Args:
        count: how many there are at most.
        start: starts one.
    """

    def __init__(self, count: int, start: Callable[[], WorkerProcess]) -> None:
        self._start = start
        self._idle: list[WorkerProcess] = []
        self._busy: set[WorkerProcess] = set()
        self._free = threading.Semaphore(count)
        self._lock = threading.Lock()
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._is_closed = True
            for process in self._busy:
                process.interrupt()
            idle, self._idle = self._idle, []
        for process in idle:
            process.kill()

    @contextmanager
    def lend(self) -> Iterator[WorkerProcess]:
        """Lend a process to this thread, a new one where none is idle; one that has failed is not used again.

        Raises:
            PoolClosedError: the pool is closed.
            OSError, NoAnswerError: no process can be started.
        """
        with self._free:
            with self._lock:
                process = self._idle.pop() if self._idle else None
            process = process or self._start()
            with self._lock:
                self._busy.add(process)
            try:
                if self._is_closed:
                    raise PoolClosedError
                yield process
            except BaseException:
                process.kill()
                raise
            finally:
                with self._lock:
                    self._busy.discard(process)
            self._take_back(process)

    def _take_back(self, process: WorkerProcess) -> None:
        with self._lock:
            if not self._is_closed:
                self._idle.append(process)
                return
        process.kill()


def pack_error(error: StsearchError) -> Message:
    """Return an error as an answer."""
    return {"error": type(error).__name__, "text": str(error)}


def raise_error(message: Message) -> None:
    """Raise the error that ``message`` is, if it is one."""
    if "error" in message:
        kind: type[StsearchError] = getattr(errors, str(message["error"]))
        raise kind(message["text"])


def serve(answer: Callable[[Message, bytes], tuple[Message, bytes]]) -> None:
    """Answer what the process that started this one asks, until it is gone.

    What libraries print must not come between the answers, so the standard output is taken away from them.
    """
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    requests: SimpleQueue[tuple[Message, bytes]] = SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, requests), daemon=True).start()
    _send(answers, {"ready": True}, b"")
    try:
        while True:
            _send(answers, *answer(*requests.get()))
    finally:
        os._exit(1)  # a fault of this program: nobody reads its traceback


def _listen(stream: IO[bytes], requests: SimpleQueue[tuple[Message, bytes]]) -> None:
    """Queue the requests that come; end this process, whatever it is at, when no more can come."""
    while len(sizes := stream.read(16)) == 16:
        message, payload = int.from_bytes(sizes[:8], "big"), int.from_bytes(sizes[8:], "big")
        requests.put((json.loads(stream.read(message)), stream.read(payload)))
    os._exit(0)


def _send(stream: IO[bytes], message: Message, payload: bytes) -> None:
    encoded = json.dumps(message).encode("ascii")
    stream.write(len(encoded).to_bytes(8, "big") + len(payload).to_bytes(8, "big") + encoded)
    stream.write(payload)
    stream.flush()
