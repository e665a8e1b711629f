"""Where galleries lie: beside their photographs or in the user's data folder, which lists them all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from stsearch.errors import (
    GalleryDamagedError,
    GalleryNotFoundError,
    GalleryUnreadableError,
    GalleryUntrustedError,
    StsearchError,
    UsageError,
)
from stsearch.gallery import manifest, trust
from stsearch.gallery.user_lists import change_list, read_list
from stsearch.mounts import check_answers
from stsearch.objects.url import Location, ObjectUrl, resolved

Notify = Callable[[str], None]
FOLDER_NAME = ".stsearch"
CATALOG_NAME = "catalog.sqlite3"
_LIST_NAME = "galleries.json"
_UNUSABLE = (GalleryDamagedError, GalleryUnreadableError, GalleryUntrustedError)


def data_home(environment: Mapping[str, str]) -> Path:
    """Return stsearch's folder among the user's data, by the XDG base directory specification."""
    base = environment.get("XDG_DATA_HOME") or Path(environment.get("HOME", "~"), ".local", "share")
    return Path(base).expanduser() / "stsearch"


def place_for(photos: Location, home: Path) -> Path:
    """Return the gallery folder of ``photos``: inside that folder, or in ``home`` for a URL, or read-only."""
    if isinstance(photos, ObjectUrl):
        return _place_elsewhere(photos.name, str(photos), home)
    inside = photos.resolve() / FOLDER_NAME
    if is_gallery(inside) or os.access(photos, os.W_OK):
        return inside
    return _place_elsewhere(photos.resolve().name, os.fspath(photos.resolve()), home)


def _place_elsewhere(name: str, photos: str, home: Path) -> Path:
    return home / "galleries" / f"{name}-{hashlib.sha256(os.fsencode(photos)).hexdigest()[:12]}"


def is_default_place(folder: Path, photos: Location) -> bool:
    """Return whether the gallery in ``folder`` lies where that of ``photos`` does when nobody says where."""
    if isinstance(photos, ObjectUrl):
        return folder == place_for(photos, folder.parent.parent)
    return folder.parent == photos


def find(path: Location, home: Path) -> Path:
    """Return the gallery folder that ``path`` names: the gallery itself, or where its photographs lie.

    Raises:
        GalleryNotFoundError: neither is there.
        GalleryUnreadableError: it cannot be looked into.
        GalleryUntrustedError: it belongs to another user.
    """
    folder = locate(path, home)
    trust.check_owner(folder, home)
    return folder


def locate(path: Location, home: Path) -> Path:
    """Return the gallery folder that ``path`` names, whoever it belongs to.

    Raises:
        GalleryNotFoundError: there is none.
        GalleryUnreadableError: it cannot be looked into.
    """
    itself = [path.resolve()] if isinstance(path, Path) else []
    for folder in (*itself, place_for(path, home)):
        if is_gallery(folder):
            return folder
    if (elsewhere := _listed_by_photos(home).get(resolved(path))) is not None:
        return elsewhere
    raise GalleryNotFoundError(f"no gallery in {path}; make one with: stsearch index {path}")


def short_name(place: Path) -> Path:
    """Return the shortest path that names the gallery in ``place``: the folder that it is inside of, or it.

    >>> short_name(Path("photos/.stsearch")), short_name(Path("elsewhere"))
    (PosixPath('photos'), PosixPath('elsewhere'))
    """
    return place.parent if place.name == FOLDER_NAME else place


def nearest(start: Path, home: Path, notify: Notify) -> Path | None:
    """Return the gallery folder of ``start``, or of the closest of its parents that has one.

    It lies inside that folder, or elsewhere and is listed in ``home``: that of a read-only folder does. One
    that cannot be looked into, or that belongs to another user, is passed over with a note.
    """
    resolved = start.resolve()
    elsewhere = _listed_by_photos(home)
    for parent in (resolved, *resolved.parents):
        folder = parent / FOLDER_NAME
        try:
            if is_gallery(folder):
                trust.check_owner(folder, home)
                return folder
        except (GalleryUnreadableError, GalleryUntrustedError) as error:
            notify(f"passed over: {error}")
        if parent in elsewhere:
            return elsewhere[parent]
    return None


def of_path(path: Location, home: Path, notify: Notify) -> Path | None:
    """Return the gallery folder that ``path`` is, or that of the folder it lies in; None without one.

    Raises:
        GalleryUnreadableError: the gallery that ``path`` names cannot be looked into.
        GalleryUntrustedError: it belongs to another user.
    """
    if isinstance(path, ObjectUrl):
        listed = _listed_by_photos(home)
        return next((listed[each] for each in (path, *path.parents) if each in listed), None)
    start = path.parent if path.is_symlink() else path  # a link is a file of the folder that it lies in
    for folder in (path.resolve(), start.resolve() / FOLDER_NAME):
        if is_gallery(folder):
            trust.check_owner(folder, home)
            return folder
    return nearest(start, home, notify)


def choose(index: Location | None, here: Path, home: Path, notify: Notify) -> Path:
    """Return the one gallery folder a command is about: ``index``, the nearest to ``here``, or the only one.

    Raises:
        GalleryNotFoundError: there is none.
        GalleryUnreadableError: it cannot be looked into.
        GalleryUntrustedError: it belongs to another user.
        UsageError: there are several.
    """
    if index is not None:
        return find(index, home)
    match usable(here, home, notify):
        case []:
            raise GalleryNotFoundError("no photos are indexed yet; begin with: stsearch index FOLDER")
        case [folder]:
            return folder
        case folders:
            names = ", ".join(map(str, folders))
            raise UsageError(f"there are several galleries; name one with --index: {names}")


def usable(here: Path, home: Path, notify: Notify) -> list[Path]:
    """Return the gallery folder nearest to ``here``; where there is none, all that are listed.

    Those that cannot be looked into, or belong to another user, are passed over with a note each.

    Raises:
        GalleryDamagedError, GalleryUnreadableError, GalleryUntrustedError: as :func:`registered`.
    """
    told: set[str] = set()

    def tell_once(message: str) -> None:
        if message not in told:
            told.add(message)
            notify(message)

    inside = nearest(here, home, tell_once)
    return [inside] if inside else registered(home, tell_once)


def register(folder: Path, home: Path) -> None:
    """Add a gallery folder to the list in ``home``.

    Raises:
        WriteError: the list cannot be written.
        GalleryDamagedError: the list is damaged.
        GalleryUnreadableError: the list cannot be read.
    """
    change_list(home / _LIST_NAME, str, lambda names: sorted({*names, os.fspath(folder)}))


def unregister(folder: Path, home: Path) -> None:
    """Take a gallery folder off the list in ``home``; its files stay.

    Raises:
        WriteError: the list cannot be written.
        GalleryDamagedError: the list is damaged.
        GalleryUnreadableError: the list cannot be read.
    """
    change_list(home / _LIST_NAME, str, lambda names: sorted({*names} - {os.fspath(folder)}))


def mend(folder: Path, home: Path) -> None:
    """Begin a new list in ``home``, with a gallery folder, where the list is damaged; that is kept beside it.

    Raises:
        WriteError: the list cannot be written.
        GalleryUnreadableError: the list cannot be read.
    """
    try:
        listed(home)
    except GalleryDamagedError:
        change_list(home / _LIST_NAME, str, lambda _: [os.fspath(folder)], replace_damaged=True)


def registered(home: Path, notify: Notify) -> list[Path]:
    """Return the listed gallery folders that are there now.

    Those that cannot be looked into, or belong to another user, are passed over with a note.

    Raises:
        GalleryDamagedError: the list is damaged.
        GalleryUnreadableError, GalleryUntrustedError: all that are there had to be passed over.
    """
    found: list[Path] = []
    passed_over: list[StsearchError] = []
    for folder in listed(home):
        try:
            if is_gallery(folder):
                trust.check_owner(folder, home)
                found.append(folder)
        except (GalleryUnreadableError, GalleryUntrustedError) as error:
            passed_over.append(error)
    if passed_over and not found:
        raise passed_over[0]
    for reason in passed_over:
        notify(f"passed over: {reason}")
    return found


def is_gallery(folder: Path) -> bool:
    """Return whether a gallery lies in ``folder``, or the remains of one.

    Raises:
        GalleryUnreadableError: it cannot be looked into: no permission, a share that does not answer.
    """
    check_answers(folder)
    try:
        return any((folder / name).is_file() for name in (manifest.FILE_NAME, CATALOG_NAME))
    except OSError as error:
        raise GalleryUnreadableError(f"cannot look into {folder}: {error.strerror or error}") from error


def is_folder(path: Path) -> bool:
    """Return whether a folder is at ``path``.

    Raises:
        GalleryUnreadableError: that cannot be looked at: no permission, a share that does not answer.
    """
    try:
        return path.is_dir()
    except OSError as error:
        raise GalleryUnreadableError(f"cannot look into {path}: {error.strerror or error}") from error


def listed(home: Path) -> list[Path]:
    """Return every gallery folder on the list, whether or not it is there now.

    Raises:
        GalleryDamagedError: the list is damaged.
        GalleryUnreadableError: the list cannot be read.
    """
    return [Path(name) for name in read_list(home / _LIST_NAME, str)]


def photos_of(folder: Path) -> Location | None:
    """Return where the photographs of the gallery in ``folder`` lie; None where nothing can be said of it."""
    try:
        return manifest.Manifest.read(folder).location(folder)
    except (StsearchError, OSError):
        return None


def _listed_by_photos(home: Path) -> dict[Location, Path]:
    """Return the listed galleries that are there and whole, by where their photographs lie."""
    found: dict[Location, Path] = {}
    with suppress(*_UNUSABLE):  # where all galleries are meant, it is an error
        for folder in registered(home, lambda _: None):
            if photos := photos_of(folder):
                found[photos] = folder
    return found
