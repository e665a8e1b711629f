"""What some file systems cannot do: locks, writing. Said so that a person knows which one, and what to do."""

from __future__ import annotations

import errno
import fcntl
import os
import tempfile
from pathlib import Path

from stsearch.errors import WriteError

_ELSEWHERE = "keep the gallery on a local disk: stsearch index FOLDER --index LOCAL"
_MOUNTS = Path("/proc/self/mounts")  # of Linux; on others file systems have no name here


def write_error(path: Path, error: OSError, verb: str = "write") -> WriteError:
    """Return the error that ``path`` cannot be written; on a read-only disk it says what to do."""
    message = f"cannot {verb} {path}: {error.strerror or error}"
    if error.errno == errno.EROFS:
        message += f"; {_ELSEWHERE}"
    return WriteError(message)


def lock_error(folder: Path, error: OSError) -> WriteError:
    """Return the error that the file system of ``folder`` has no working locks."""
    kind = _kind_of(folder)
    name = f"the file system {kind}" if kind else "the file system"
    return WriteError(f"{name} of {folder} has no working locks ({error.strerror or error}); {_ELSEWHERE}")


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


def _kind_of(folder: Path) -> str:
    """Return the name of the file system that ``folder`` lies on, such as nfs4; "" when it is not known."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    place = os.fspath(folder.absolute())
    kinds = {}
    for line in lines:
        _, point, kind, *_ = line.split(" ")
        for code in ("\\040", "\\011", "\\012", "\\134"):  # blanks and backslashes in octal
            point = point.replace(code, chr(int(code[1:], 8)))
        if f"{place}/".startswith(f"{point.rstrip('/')}/"):
            kinds[len(point)] = kind  # of several mounts on one place the last is seen
    return kinds[max(kinds)] if kinds else ""
