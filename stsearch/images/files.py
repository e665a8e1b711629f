"""Bytes of files that may be anything: a pipe, endless, or larger than the memory."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from stsearch.errors import ImageError, ImageRefusedError

MAX_BYTES = 1_000_000_000
"""Larger files are refused unread: a photograph has a fiftieth of that."""

_CHUNK = 1 << 20
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # else opening a pipe waits for somebody to write into it


@contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading; of a pipe, a device or a socket not a byte is read.

    Raises:
        ImageError: it is no regular file.
        OSError: it cannot be opened.
    """
    with open(path, "rb", buffering=0, opener=lambda name, flags: os.open(name, flags | _NO_WAIT)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ImageError("it is no regular file")
        yield file


def read_beginning(path: Path, size: int) -> bytes:
    """Return the first ``size`` bytes of a file, or all that it has.

    Raises:
        ImageError: it is no regular file.
        OSError: it cannot be read.
    """
    with open_regular(path) as file:
        return file.read(size)


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """What a file holds.

    Attributes:
        sha256: of all its bytes.
        encoded: its bytes; None where they are more than were to be kept.
    """

    sha256: str
    encoded: bytes | None


def read_content(
    path: Path,
    check_header: Callable[[bytes], object],
    max_bytes: int = MAX_BYTES,
    max_kept: int | None = None,
) -> Content:
    """Read a file once, from its beginning to its end, and hash it on the way.

    Args:
        path: of the file.
        check_header: is given the bytes it begins with before any more are read; it raises what should end
            the reading.
        max_bytes: larger files are refused, before or while they are read.
        max_kept: the bytes of larger files are not kept; None: they always are.

    Raises:
        ImageRefusedError: it is larger than ``max_bytes``.
        ImageError: it is no regular file.
        OSError: it cannot be read.
    """
    with open_regular(path) as file:
        check_size(os.fstat(file.fileno()).st_size, max_bytes)
        return take_in(iter(partial(file.read, _CHUNK), b""), check_header, max_bytes, max_kept)


def take_in(
    chunks: Iterable[bytes],
    check_header: Callable[[bytes], object],
    max_bytes: int = MAX_BYTES,
    max_kept: int | None = None,
) -> Content:
    """Hash what comes in ``chunks``, as ``read_content`` does with a file.

    Raises:
        ImageRefusedError: it is larger than ``max_bytes``.
    """
    digest, size = hashlib.sha256(), 0
    kept: io.BytesIO | None = io.BytesIO()  # grows in place: parts to be joined would be there twice
    for chunk in chunks:
        if not size:
            check_header(chunk)
        size += len(chunk)
        check_size(size, max_bytes)  # it may grow, and some have no size: those of /proc
        digest.update(chunk)
        if kept is not None:
            kept.write(chunk)
            if max_kept is not None and size > max_kept:
                kept = None
    return Content(digest.hexdigest(), None if kept is None else kept.getvalue())


def check_size(size: int, max_bytes: int) -> None:
    """Refuse a file of ``size`` bytes where that is more than ``max_bytes``.

    Raises:
        ImageRefusedError: it is.
    """
    if size > max_bytes:
        raise ImageRefusedError(f"{size / 1e6:,.0f} MB; the limit is {max_bytes / 1e6:,.0f}")
