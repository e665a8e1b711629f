"""Files that are whole or absent: written beside and renamed; locked by one writer."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stsearch.errors import GalleryLockedError, WriteError


@contextmanager
def replacing(path: Path, mode: int = 0o600) -> Iterator[Path]:
    """Yield a path to write to; afterwards it replaces ``path`` at once and durably, or not at all.

    Args:
        path: of the file.
        mode: its permissions, less those that the user's umask takes away; by default the user's alone.

    Raises:
        WriteError: the disk is full, or the folder may not be written to.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.touch(mode=mode)
        yield beside
        _sync(beside)
        beside.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror or error}") from error
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
        raise WriteError(f"cannot make {folder}: {error.strerror or error}") from error


class Lock:
    """A lock that one process at a time can hold; it ends with the process, however that ends.

    Raises:
        GalleryLockedError: another process holds it.
        WriteError: the lock file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise WriteError(f"cannot write {path}: {error.strerror or error}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise GalleryLockedError(
                f"another process is writing to {path.parent}; wait until it is done"
            ) from error

    def release(self) -> None:
        """Let the next process have it."""
        os.close(self._descriptor)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
