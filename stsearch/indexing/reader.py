"""Reads and decodes the files of a run: in this process what is soon done, else where it can be killed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from stsearch.errors import ImageError
from stsearch.gallery.records import PhotoFile
from stsearch.images import MAX_BYTES, MAX_MEGAPIXELS, Decoded, decode_image
from stsearch.images.effort import Effort, effort_of
from stsearch.images.files import Content
from stsearch.images.memory import DECODING, MEMORY_BUDGET
from stsearch.images.remote import RemoteImages
from stsearch.indexing.sources import DiskFile, PhotoSource

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
        content: with its bytes if this process decodes it.
        memory_bytes: that decoding a page takes.
        pages: to look at, numbered from 1; of an animation the frames that differ.
        on_disk: what another process decodes; None where this one does.
    """

    content: Content
    memory_bytes: int
    pages: Sequence[int] = (1,)
    on_disk: DiskFile | None = None


class PhotoReader:
    """Reads and decodes photographs, for several threads; a context, at whose end nothing runs on.

    Every method raises ``ImageError`` when the file cannot be read, and ``ImageRefusedError`` when that may
    be otherwise at another time; messages do not name the file.

    Args:
        source: where they come from.
        limits: what a file may take.
        threads: how many files are read and decoded at the same time.
    """

    def __init__(self, source: PhotoSource, limits: ReadLimits, threads: int) -> None:
        self._source = source
        self._limits = limits
        self._remote = RemoteImages(threads)

    def __enter__(self) -> Self:
        self._remote.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remote.__exit__(kind, error, trace)

    def read(self, file: PhotoFile) -> Content:
        """Read and hash ``file``; one that begins as no picture is not read to its end.

        Raises:
            OSError: it cannot be opened.
            PhotosUnreachableError: nothing can be read any more.
        """
        limits = self._limits
        return self._source.read(file, limits.max_bytes, _MAX_KEPT, limits.timeout_s, self._remote)

    def open(self, file: PhotoFile, content: Content) -> OpenPhoto:
        """Judge a file that was read, and find its pages."""
        effort = _effort(content)
        if _is_soon_done(effort, self._limits):
            return OpenPhoto(content, effort.memory_bytes)
        on_disk = self._source.on_disk(file, content)
        pages: tuple[int, ...] = (1,)
        if not self._limits.first_page:
            with DECODING.take(effort.memory_bytes):
                pages = self._remote.list_pages(on_disk.path, content.sha256, self._limits.timeout_s)
        kept = replace(content, encoded=None)
        return OpenPhoto(kept, effort.memory_bytes, pages, on_disk)

    def decode(self, photo: OpenPhoto, longer_side: int, page: int = 1) -> Decoded:
        """Decode a page of a file, shrunk to ``longer_side`` as ``decode_image`` does."""
        limits, content = self._limits, photo.content
        if photo.on_disk is None:
            return decode_image(content.encoded or b"", longer_side, limits.max_megapixels, page)
        with DECODING.take(photo.memory_bytes):
            return self._remote.decode_image(
                photo.on_disk.path,
                content.sha256,
                longer_side,
                limits.max_megapixels,
                page,
                limits.timeout_s,
            )


def memory_to_decode(content: Content, limits: ReadLimits) -> int:
    """Return the bytes that decoding a page takes of the budget of all; 0: so few that they do not count."""
    try:
        effort = _effort(content)
    except ImageError:  # it is none that is read, as decoding will say
        return 0
    return 0 if _is_soon_done(effort, limits) else effort.memory_bytes


def _effort(content: Content) -> Effort:
    # What is too large to be kept is decoded alone.
    return Effort(math.inf, MEMORY_BUDGET) if content.encoded is None else effort_of(content.encoded)


def _is_soon_done(effort: Effort, limits: ReadLimits) -> bool:
    return effort.seconds <= _SOON * limits.timeout_s
