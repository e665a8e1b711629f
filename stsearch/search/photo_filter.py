"""Selecting the photographs to search: by path, and by when they were taken."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from stsearch.errors import UsageError
from stsearch.gallery.paths import composed
from stsearch.gallery.records import DatedPhoto
from stsearch.objects.url import Location

_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")


@dataclass(frozen=True, slots=True)
class PhotoFilter:
    """Conditions that a photograph has to meet to be searched.

    Attributes:
        globs: its path in the folder of photographs matches one of them, or is it to the letter, or lies in a
            folder that does or is, in either Unicode spelling; ``*`` also stands for ``/``. None: any path.
        since: it was taken then or later, by the clock of the camera, else the file was last changed then or
            later, by that of this machine.
        until: it was taken before.
        places: the globs as absolute paths or URLs, as they may be copied from what a search prints.
    """

    globs: tuple[str, ...] = ()
    since: datetime = datetime.min
    until: datetime = datetime.max
    places: tuple[str, ...] = ()

    def of_folder(self, photos: Location) -> PhotoFilter:
        """Return the conditions for the photographs in ``photos``, where paths are relative to it."""
        root = str(photos).rstrip("/") + "/"
        relative = [f"{place}/".removeprefix(root) for place in self.places if f"{place}/".startswith(root)]
        return replace(self, globs=(*self.globs, *(each.rstrip("/") or "*" for each in relative)))

    def admits(self, photo: DatedPhoto) -> bool:
        """Return whether ``photo`` meets the conditions."""
        return self._admits_path(photo.file.path) and self.since <= _moment(photo) < self.until

    def _admits_path(self, path: str) -> bool:
        return not self.globs or any(_matches(composed(path), composed(glob)) for glob in self.globs)


def _matches(path: str, glob: str) -> bool:
    """Return whether ``glob`` is the name of ``path`` or of a folder above, or a pattern for one of them."""
    folder = f"{glob.rstrip('/')}/"
    is_name = path == glob or path.startswith(folder)  # [1] is a pattern, and stands in many a name
    return is_name or fnmatchcase(path, glob) or fnmatchcase(path, f"{folder}*")


def _moment(photo: DatedPhoto) -> datetime:
    return photo.file.changed if photo.taken is None else datetime.fromisoformat(photo.taken)


def span(date: str) -> tuple[datetime, datetime]:
    """Return when a year, month or day begins and when the next one does.

    Raises:
        UsageError: ``date`` is not a date.

    >>> span("2024-02")
    (datetime.datetime(2024, 2, 1, 0, 0), datetime.datetime(2024, 3, 1, 0, 0))
    """
    found = _DATE.fullmatch(date)
    try:
        if found is None:
            raise ValueError("unknown format")
        year, month, day = (int(part) if part else None for part in found.groups())
        first = datetime(year or 0, month or 1, day or 1)
    except ValueError as error:
        raise UsageError(
            f"{date!r} is not a valid date ({error}): give a year, a month or a day, as in 2024, 2024-05 or"
            " 2024-05-17"
        ) from error
    try:
        if day:
            return first, first + timedelta(days=1)
        if month:
            return first, (first + timedelta(days=31)).replace(day=1)
        return first, first.replace(year=first.year + 1)
    except (ValueError, OverflowError):  # after the year 9999 there is no next one
        return first, datetime.max
