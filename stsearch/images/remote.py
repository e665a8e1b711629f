"""Reading and decoding in another process, which is killed when it takes too long."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self

import numpy as np

from stsearch.errors import ImageError, ImageRefusedError
from stsearch.images.decoder import Decoded
from stsearch.images.files import Content
from stsearch.worker_process import NoAnswerError, PoolClosedError, ProcessPool, WorkerProcess

_MODULE = "stsearch.images.worker"
_OUT_OF_MEMORY = signal.SIGKILL  # how the kernel ends what takes too much of it

Answer = Mapping[str, Any]  # Any: JSON has values of several types


class RemoteImages:
    """Does what ``read_content``, ``list_pages`` and ``decode_image`` do, in a limit of time.

    Each thread that asks has a process to itself; they are started when they are needed, and end with the
    context. Every method raises ``ImageError`` as the function it is named after, and ``ImageRefusedError``
    when there is no answer in time, or the file cannot be opened.

    Args:
        processes: how many there are at most.
    """

    def __init__(self, processes: int) -> None:
        self._pool = ProcessPool(processes, partial(WorkerProcess, _MODULE))

    def __enter__(self) -> Self:
        self._pool.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.__exit__(kind, error, trace)

    def read_content(self, path: Path, max_bytes: int, max_kept: int, timeout_s: float) -> Content:
        """Read and hash a file; its bytes come along if they are no more than ``max_kept``."""
        request = {"do": "read", "path": str(path), "max_bytes": max_bytes, "max_kept": max_kept}
        answer, encoded = self._ask(request, timeout_s, "read")
        return Content(answer["sha256"], encoded if answer["is_kept"] else None)

    def list_pages(self, path: Path, sha256: str, timeout_s: float) -> tuple[int, ...]:
        """Return the pages of a file that had the checksum ``sha256`` when it was read."""
        answer, _ = self._ask({"do": "pages", "path": str(path), "sha256": sha256}, timeout_s, "decode")
        return tuple(answer["pages"])

    def decode_image(
        self,
        path: Path,
        sha256: str,
        longer_side: int,
        max_megapixels: float,
        page: int,
        timeout_s: float,
    ) -> Decoded:
        """Decode a page of a file that had the checksum ``sha256`` when it was read."""
        request = {"do": "decode", "path": str(path), "sha256": sha256, "longer_side": longer_side}
        request |= {"max_megapixels": max_megapixels, "page": page}
        answer, pixels = self._ask(request, timeout_s, "decode")
        image = np.frombuffer(pixels, np.uint8).reshape(answer["shape"])
        return Decoded(image, answer["height"], answer["width"], answer["taken"], answer["note"])

    def _ask(self, request: Answer, timeout_s: float, to_do: str) -> tuple[Answer, bytes]:
        with self._lend() as process:
            try:
                answer, payload = process.ask(request, timeout_s)
            except NoAnswerError as error:
                _refuse(error, timeout_s, to_do)
        if "error" in answer:
            raise (ImageRefusedError if answer["is_for_now"] else ImageError)(answer["error"])
        return answer, payload

    @contextmanager
    def _lend(self) -> Iterator[WorkerProcess]:
        try:
            with self._pool.lend() as process:
                yield process
        except PoolClosedError as error:
            raise ImageRefusedError("the run was ended") from error
        except (OSError, NoAnswerError) as error:
            raise ImageRefusedError(f"the process that decodes it could not be started: {error}") from error


def _refuse(error: NoAnswerError, timeout_s: float, to_do: str) -> NoReturn:
    """Raise what became of a file that got no answer."""
    if error.ended_by is None:
        raise ImageRefusedError(f"took longer than {timeout_s:g} s to {to_do}") from error
    if error.ended_by == _OUT_OF_MEMORY:
        raise ImageRefusedError("there was not enough memory to decode it") from error
    raise ImageError(f"damaged: its decoder crashed ({error.ended_by})") from error
