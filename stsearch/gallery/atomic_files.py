"""Files that are whole or absent: written beside and renamed; locked by one writer."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stsearch.errors import GalleryLockedError
from stsearch.gallery.file_systems import ELSEWHERE, lock_error, write_error


@contextmanager
def replacing(path: Path, mode: int = 0o600, elsewhere: str = ELSEWHERE) -> Iterator[Path]:
    """Yield a path to write to; afterwards it replaces ``path`` at once and durably, or not at all.

    Args:
        path: of the file.
        mode: its permissions, less those that the user's umask takes away; by default the user's alone.
        elsewhere: what to do where the disk is read-only; by default what suits a gallery.

    Raises:
        WriteError: the disk is full, or the folder may not be written to.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.unlink(missing_ok=True)  # of a killed process with this number, or a link laid out for us
        beside.touch(mode=mode, exist_ok=False)
        yield beside
        sync(beside)
        beside.replace(path)
        sync(path.parent)
    except OSError as error:
        raise write_error(path, error, elsewhere=elsewhere) from error
    finally:
        with suppress(OSError):
            beside.unlink(missing_ok=True)


def remove_parts(path: Path) -> None:
    """Delete what killed processes began to write for ``path``, whose name may be a pattern.

    Only for the one who may write to it now.
    """
    with suppress(OSError):
        for part in path.parent.glob(f".{path.name}.*"):
            part.unlink()


def make_private_folder(folder: Path) -> None:
    """Make ``folder``, and its parents, readable by their user alone; one that is there stays as it is.

    Raises:
        WriteError: it cannot be made.
    """
    try:
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        for each in reversed(missing):
            each.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(exist_ok=True)  # an error when it is a file
    except OSError as error:
        raise write_error(folder, error, "make") from error


class Lock:
    """A lock that one process at a time can hold; it ends with the process, however that ends.

    Args:
        path: of the file that is locked; made when it is not there.
        wait: until another process lets it go, instead of raising.

    Raises:
        GalleryLockedError: another process holds it.
        WriteError: the lock file cannot be made, or its file system has no working locks.
    """

    def __init__(self, path: Path, wait: bool = False) -> None:
        try:  # through no link: it could create a file anywhere
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise write_error(path, error) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
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


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
