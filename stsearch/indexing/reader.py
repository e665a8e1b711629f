"""Reads and decodes the files of a run: in this process what is soon done, else where it can be killed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from stsearch.errors import ImageRefusedError
from stsearch.images import MAX_BYTES, MAX_MEGAPIXELS, Decoded, decode_image
from stsearch.images.effort import Effort, effort_of
from stsearch.images.files import Content, read_content
from stsearch.images.formats import check_header
from stsearch.images.memory import DECODING, MEMORY_BUDGET
from stsearch.images.remote import RemoteImages
from stsearch.mounts import Mounts

PHOTO_TIMEOUT_S = 60.0
"""A JPEG of 177 megapixels of noise took 14 s on a busy core; only malicious files take a minute."""

_MAX_KEPT = 64_000_000  # bytes of a file that are kept until it is decoded; larger ones are read twice
_SOON = 0.1  # of the time a photograph may take: what is bound to be done by then is not worth a process


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """What a file may take.

    Attributes:
        max_bytes: larger files are refused.
        max_megapixels: larger photographs, and pages, are refused.
        timeout_s: reading a file, or decoding a page of it, is given up after that.
        first_page: of several pages, or frames of an animation, only the first is looked at.
    """

    max_bytes: int = MAX_BYTES
    max_megapixels: float = MAX_MEGAPIXELS
    timeout_s: float = PHOTO_TIMEOUT_S
    first_page: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class OpenPhoto:
    """A file that was read, and what decoding it will take.

    Attributes:
        path: relative to the folder.
        content: with its bytes if it ``is_soon_done``.
        memory_bytes: that decoding a page takes.
        is_soon_done: whether it is decoded in this process.
        pages: to look at, numbered from 1; of an animation the frames that differ.
    """

    path: str
    content: Content
    memory_bytes: int
    is_soon_done: bool
    pages: Sequence[int] = (1,)


class PhotoReader:
    """Reads and decodes the files of a folder, for several threads; a context, at whose end nothing runs on.

    Every method raises ``ImageError`` when the file cannot be read, and ``ImageRefusedError`` when that may
    be otherwise at another time; messages do not name the file.

    Args:
        root: the folder.
        limits: what a file may take.
        threads: how many files are read and decoded at the same time.
    """

    def __init__(self, root: Path, limits: ReadLimits, threads: int) -> None:
        self._root = root
        self._limits = limits
        self._mounts = Mounts()
        self._remote = RemoteImages(threads)

    def __enter__(self) -> Self:
        self._remote.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remote.__exit__(kind, error, trace)

    def read(self, path: str) -> Content:
        """Read and hash the file at ``path``; one that begins as no picture is not read to its end.

        Raises:
            OSError: it cannot be opened.
        """
        place, limits = self._root / path, self._limits
        if self._mounts.is_distant(place):
            return self._remote.read_content(place, limits.max_bytes, _MAX_KEPT, limits.timeout_s)
        try:
            return read_content(place, check_header, limits.max_bytes, _MAX_KEPT)
        except MemoryError as error:
            raise ImageRefusedError("there was not enough memory to read it") from error

    def open(self, path: str, content: Content) -> OpenPhoto:
        """Judge a file that was read, and find its pages."""
        effort = _effort(content)
        is_soon_done = _is_soon_done(effort, self._limits)
        if is_soon_done:
            return OpenPhoto(path, content, effort.memory_bytes, is_soon_done)
        pages: tuple[int, ...] = (1,)
        if not self._limits.first_page:
            with DECODING.take(effort.memory_bytes):
                pages = self._remote.list_pages(self._root / path, content.sha256, self._limits.timeout_s)
        kept = replace(content, encoded=None)
        return OpenPhoto(path, kept, effort.memory_bytes, is_soon_done, pages)

    def decode(self, photo: OpenPhoto, longer_side: int, page: int = 1) -> Decoded:
        """Decode a page of a file, shrunk to ``longer_side`` as ``decode_image`` does."""
        limits, content = self._limits, photo.content
        if photo.is_soon_done:
            return decode_image(content.encoded or b"", longer_side, limits.max_megapixels, page)
        with DECODING.take(photo.memory_bytes):
            return self._remote.decode_image(
                self._root / photo.path,
                content.sha256,
                longer_side,
                limits.max_megapixels,
                page,
                limits.timeout_s,
            )


def memory_to_decode(content: Content, limits: ReadLimits) -> int:
    """Return the bytes that decoding a page takes of the budget of all; 0: so few that they do not count.

    Raises:
        ImageError: it is none that is read.
    """
    effort = _effort(content)
    return 0 if _is_soon_done(effort, limits) else effort.memory_bytes


def _effort(content: Content) -> Effort:
    # What is too large to be kept is decoded alone.
    return Effort(math.inf, MEMORY_BUDGET) if content.encoded is None else effort_of(content.encoded)


def _is_soon_done(effort: Effort, limits: ReadLimits) -> bool:
    return effort.seconds <= _SOON * limits.timeout_s
