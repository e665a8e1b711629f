"""When a gallery was last brought up to date: the time of a file in it that holds nothing."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path

_FILE_NAME = "last-run"


def note(folder: Path) -> None:
    """Note that a run has just brought the gallery in ``folder`` up to date, whether or not it had to."""
    with suppress(OSError):  # a run does not fail over its own date
        path = folder / _FILE_NAME
        path.unlink(missing_ok=True)  # it may be a link: what it leads to is left alone
        path.touch(mode=0o600, exist_ok=False)


def when(folder: Path) -> datetime | None:
    """Return the local time of the last run over the gallery in ``folder``; None where it is not known."""
    try:
        return datetime.fromtimestamp((folder / _FILE_NAME).stat().st_mtime)
    except (OSError, ValueError, OverflowError):
        return None
