"""Where galleries lie: beside their photographs or in the user's data folder, which lists them all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from stsearch.errors import GalleryDamagedError, GalleryNotFoundError, UsageError
from stsearch.gallery import manifest
from stsearch.gallery.atomic_files import make_private_folder, replacing

FOLDER_NAME = ".stsearch"
CATALOG_NAME = "catalog.sqlite3"
_LIST_NAME = "galleries.json"


def data_home(environment: Mapping[str, str]) -> Path:
    """Return stsearch's folder among the user's data, by the XDG base directory specification."""
    base = environment.get("XDG_DATA_HOME") or Path(environment.get("HOME", "~"), ".local", "share")
    return Path(base).expanduser() / "stsearch"


def place_for(photos: Path, home: Path) -> Path:
    """Return the gallery folder of the folder ``photos``: inside it, or in ``home`` when it is read-only."""
    inside = photos.resolve() / FOLDER_NAME
    if is_gallery(inside) or os.access(photos, os.W_OK):
        return inside
    digest = hashlib.sha256(os.fsencode(photos.resolve())).hexdigest()[:12]
    return home / "galleries" / f"{photos.resolve().name}-{digest}"


def find(path: Path, home: Path) -> Path:
    """Return the gallery folder that ``path`` names: the gallery itself, or the folder of its photographs.

    Raises:
        GalleryNotFoundError: neither is there.
    """
    for folder in (path.resolve(), place_for(path, home)):
        if is_gallery(folder):
            return folder
    if (elsewhere := _listed_by_photos(home).get(path.resolve())) is not None:
        return elsewhere
    raise GalleryNotFoundError(f"no gallery in {path}; make one with: stsearch index {path}")


def nearest(start: Path, home: Path) -> Path | None:
    """Return the gallery folder of ``start``, or of the closest of its parents that has one.

    It lies inside that folder, or elsewhere and is listed in ``home``: that of a read-only folder does.
    """
    resolved = start.resolve()
    elsewhere = _listed_by_photos(home)
    for folder in (resolved, *resolved.parents):
        if is_gallery(folder / FOLDER_NAME):
            return folder / FOLDER_NAME
        if folder in elsewhere:
            return elsewhere[folder]
    return None


def of_path(path: Path, home: Path) -> Path | None:
    """Return the gallery folder that ``path`` is, or that of the folder it lies in; None without one."""
    if is_gallery(path.resolve()):
        return path.resolve()
    start = path.parent if path.is_symlink() else path  # a link is a file of the folder that it lies in
    return nearest(start, home)


def choose(index: Path | None, here: Path, home: Path) -> Path:
    """Return the one gallery folder a command is about: ``index``, the nearest to ``here``, or the only one.

    Raises:
        GalleryNotFoundError: there is none.
        UsageError: there are several.
    """
    if index is not None:
        return find(index, home)
    if (inside := nearest(here, home)) is not None:
        return inside
    match registered(home):
        case []:
            raise GalleryNotFoundError("no photos are indexed yet; begin with: stsearch index FOLDER")
        case [folder]:
            return folder
        case folders:
            names = ", ".join(map(str, folders))
            raise UsageError(f"there are several galleries; name one with --index: {names}")


def register(folder: Path, home: Path) -> None:
    """Add a gallery folder to the list in ``home``.

    Raises:
        WriteError: the list cannot be written.
        GalleryDamagedError: the list is damaged.
    """
    known = listed(home)
    if folder not in known:
        _write_list([*known, folder], home)


def unregister(folder: Path, home: Path) -> None:
    """Take a gallery folder off the list in ``home``; its files stay.

    Raises:
        WriteError: the list cannot be written.
        GalleryDamagedError: the list is damaged.
    """
    known = listed(home)
    if folder in known:
        _write_list([each for each in known if each != folder], home)


def registered(home: Path) -> list[Path]:
    """Return the listed gallery folders that are there now.

    Raises:
        GalleryDamagedError: the list is damaged.
    """
    return [folder for folder in listed(home) if is_gallery(folder)]


def is_gallery(folder: Path) -> bool:
    """Return whether a gallery lies in ``folder``, or the remains of one."""
    return any((folder / name).is_file() for name in (manifest.FILE_NAME, CATALOG_NAME))


def listed(home: Path) -> list[Path]:
    """Return every gallery folder on the list, whether or not it is there now.

    Raises:
        GalleryDamagedError: the list is damaged.
    """
    path = home / _LIST_NAME
    try:
        return [Path(name) for name in json.loads(path.read_text(encoding="ascii"))["galleries"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GalleryDamagedError(
            f"{path} is damaged ({error}); delete it, and index again to list a folder"
        ) from error


def _write_list(folders: Iterable[Path], home: Path) -> None:
    make_private_folder(home)
    with replacing(home / _LIST_NAME) as beside:
        names = sorted(map(os.fspath, folders))
        beside.write_text(json.dumps({"format": 1, "galleries": names}, indent=2), encoding="ascii")


def _listed_by_photos(home: Path) -> dict[Path, Path]:
    """Return the listed galleries that are there and whole, by the folder of their photographs."""
    found = {}
    with suppress(GalleryDamagedError):  # of the list: where all galleries are meant, it is an error
        for folder in registered(home):
            with suppress(GalleryDamagedError, GalleryNotFoundError):
                found[(folder / manifest.Manifest.read(folder).photos).resolve()] = folder
    return found
