"""What some file systems cannot do: locks, writing. Said so that a person knows which one, and what to do.

And what a folder holds while others write to it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from stsearch.errors import WriteError
from stsearch.mounts import Mounts

ELSEWHERE = "keep the gallery on a local disk: stsearch index FOLDER --index LOCAL"


def write_error(path: Path, error: OSError, verb: str = "write", elsewhere: str = ELSEWHERE) -> WriteError:
    """Return the error that ``path`` cannot be written; on a read-only disk it says what to do."""
    message = f"cannot {verb} {path}: {error.strerror or error}"
    if error.errno == errno.EROFS:
        message += f"; {elsewhere}"
    return WriteError(message)


def lock_error(folder: Path, error: OSError) -> WriteError:
    """Return the error that the file system of ``folder`` has no working locks."""
    kind = Mounts().kind_of(folder.absolute())
    name = f"the file system {kind}" if kind else "the file system"
    return WriteError(f"{name} of {folder} has no working locks ({error.strerror or error}); {ELSEWHERE}")


def fault_of_locks(folder: Path) -> WriteError | None:
    """Return the error that ``folder`` has not the locks SQLite needs; None when it has, or is read-only."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            try:
                fcntl.lockf(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                return lock_error(folder, error)
    except OSError:  # nothing can be written, so nothing can be tried
        pass
    return None


def statuses(folder: Path) -> Iterator[os.stat_result]:
    """Yield the status of everything in ``folder`` that is still there then; of links their own.

    Raises:
        OSError: the folder cannot be looked into.
    """
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # a writer has replaced it
            yield path.lstat()
