"""Where galleries lie: beside their photographs or in the user's data folder, which lists them all."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
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
    raise GalleryNotFoundError(f"no gallery in {path}; make one with: stsearch index {path}")


def nearest(start: Path) -> Path | None:
    """Return the gallery folder inside ``start`` or the closest of its parents that has one."""
    resolved = start.resolve()
    folders = (parent / FOLDER_NAME for parent in (resolved, *resolved.parents))
    return next((folder for folder in folders if is_gallery(folder)), None)


def choose(index: Path | None, here: Path, home: Path) -> Path:
    """Return the one gallery folder a command is about: ``index``, the nearest to ``here``, or the only one.

    Raises:
        GalleryNotFoundError: there is none.
        UsageError: there are several.
    """
    if index is not None:
        return find(index, home)
    if (inside := nearest(here)) is not None:
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
    known = _read_list(home)
    if folder not in known:
        make_private_folder(home)
        with replacing(home / _LIST_NAME) as beside:
            names = sorted(os.fspath(each) for each in (*known, folder))
            beside.write_text(json.dumps({"format": 1, "galleries": names}, indent=2), encoding="ascii")


def registered(home: Path) -> list[Path]:
    """Return the listed gallery folders that are there now.

    Raises:
        GalleryDamagedError: the list is damaged.
    """
    return [folder for folder in _read_list(home) if is_gallery(folder)]


def listed(home: Path) -> list[Path]:
    """Return the listed gallery folders, whether they are there now or not.

    Raises:
        GalleryDamagedError: the list is damaged.
    """
    return _read_list(home)


def is_gallery(folder: Path) -> bool:
    """Return whether a gallery lies in ``folder``, or the remains of one."""
    return any((folder / name).is_file() for name in (manifest.FILE_NAME, CATALOG_NAME))


def _read_list(home: Path) -> list[Path]:
    path = home / _LIST_NAME
    try:
        return [Path(name) for name in json.loads(path.read_text(encoding="ascii"))["galleries"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GalleryDamagedError(
            f"{path} is damaged ({error}); delete it, and index again to list a folder"
        ) from error
