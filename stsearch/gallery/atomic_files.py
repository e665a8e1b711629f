"""Files that are whole or absent: written beside and renamed; locked by one writer."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stsearch.errors import GalleryLockedError
from stsearch.gallery.file_systems import lock_error, write_error


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path to write to; afterwards it replaces ``path`` at once and durably, or not at all.

    Raises:
        WriteError: the disk is full, or the folder may not be written to.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.touch(mode=0o600)
        yield beside
        _sync(beside)
        beside.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def make_private_folder(folder: Path) -> None:
    """Make ``folder``, and its parents, readable by their user alone; one that is there stays as it is.

    Raises:
        WriteError: it cannot be made.
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        for each in reversed(missing):
            each.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(exist_ok=True)  # an error when it is a file
    except OSError as error:
        raise write_error(folder, error, "make") from error


class Lock:
    """A lock that one process at a time can hold; it ends with the process, however that ends.

    Raises:
        GalleryLockedError: another process holds it.
        WriteError: the lock file cannot be made, or its file system has no working locks.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise write_error(path, error) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._descriptor)
            raise GalleryLockedError(
                f"another process is writing to {path.parent}; wait until it is done"
            ) from error
        except OSError as error:
            os.close(self._descriptor)
            raise lock_error(path.parent, error) from error

    def release(self) -> None:
        """Let the next process have it."""
        os.close(self._descriptor)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
