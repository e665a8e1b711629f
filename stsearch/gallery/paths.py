"""Paths as a gallery names photographs, relative to where they lie, from what people type."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

from stsearch.errors import UsageError
from stsearch.objects.url import Location, ObjectUrl


def composed(text: str) -> str:
    """Return ``text`` with its accents composed (NFC): macOS and Linux spell the same name in two ways."""
    return unicodedata.normalize("NFC", text)


def files_below(path: Location, root: Location, known: Iterable[str], may_be_gone: bool = False) -> list[str]:
    """Return the files among ``known`` that ``path`` names: itself, or all in a folder.

    A link names itself, not what it points to. A name in the other Unicode spelling counts where no file has
    the very same.

    Args:
        path: absolute, or relative to the current folder; or a URL.
        root: the resolved folder of the photographs, or their URL.
        known: relative to ``root``.
        may_be_gone: return none where it names one of ``root`` that is not known.

    Raises:
        UsageError: it names none.
    """
    name, files = name_in(path, root), list(known)
    spellings: tuple[Callable[[str], str], ...] = (str, composed)
    if name == "":
        return files
    for spelled in spellings:
        below = None if name is None else f"{spelled(name)}/"
        if below and (chosen := [each for each in files if f"{spelled(each)}/".startswith(below)]):
            return chosen
    if may_be_gone and name is not None:
        return []
    remedy = (
        f"stsearch index {root} reads what is new"
        if not isinstance(path, Path) or path.exists()
        else "there is no such file"
    )
    raise UsageError(f"{path} is not in the gallery of {root}: {remedy}")


def name_in(path: Location, root: Location) -> str | None:
    """Return the name of ``path`` in ``root``, "" for that itself; None when it lies outside."""
    if isinstance(path, ObjectUrl):
        return path.name_below(root)
    if isinstance(root, ObjectUrl):
        return None
    path = path.absolute()
    folder = None if path.name == ".." else relative_to_root(path.parent, root)
    if folder is not None:
        return f"{folder}{path.name}"
    inside = relative_to_root(path, root)
    return None if inside is None else inside.removesuffix("/")


def relative_to_root(folder: Path, root: Path) -> str | None:
    """Return ``folder`` relative to ``root``, "" or with a slash at its end; None when it lies outside.

    Links below ``root`` keep their names; those above it, and "..", are resolved.
    """
    for parent in (folder, *folder.parents):
        if resolve(parent) == root:
            below = folder.relative_to(parent)
            if ".." not in below.parts:
                return _prefix(below)
            break
    resolved = resolve(folder)
    return _prefix(resolved.relative_to(root)) if resolved.is_relative_to(root) else None


def resolve(path: Path) -> Path:
    """Return ``path`` without links, or as it is where they lead in a circle."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path


def _prefix(folder: Path) -> str:
    return f"{os.fspath(folder)}/" if folder.parts else ""
