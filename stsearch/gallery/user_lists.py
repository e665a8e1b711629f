"""Lists in the user's data folder, as JSON: read whole, and changed by one process at a time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stsearch.errors import GalleryDamagedError, GalleryUnreadableError
from stsearch.gallery.atomic_files import Lock, make_private_folder, remove_parts, replacing

Entries = list[Any]  # Any: JSON


def read_list(path: Path, kind: type) -> Entries:
    """Return the entries of the list at ``path``, each of the type ``kind``; none when there is no such file.

    Raises:
        GalleryDamagedError: it is damaged.
        GalleryUnreadableError: it cannot be read.
    """
    try:
        entries = json.loads(path.read_text(encoding="ascii"))[path.stem]
        if not all(isinstance(each, kind) for each in entries):
            raise TypeError(f"an entry is no {kind.__name__}")
        return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise GalleryUnreadableError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise GalleryDamagedError(
            f"{path} is damaged ({error}); begin a new one with: stsearch rebuild --index FOLDER"
        ) from error


def change_list(
    path: Path, kind: type, change: Callable[[Entries], Entries], replace_damaged: bool = False
) -> None:
    """Replace the entries of the list at ``path`` by what ``change`` makes of them.

    Args:
        path: of the list.
        kind: of its entries.
        change: takes and returns all of them.
        replace_damaged: begin a new list where it is damaged, and keep that one beside it.

    Raises:
        GalleryDamagedError, GalleryUnreadableError: as :func:`read_list`.
        WriteError: it cannot be written.
    """
    make_private_folder(path.parent)
    lock = Lock(path.with_suffix(".lock"), wait=True)
    try:
        remove_parts(path)
        try:
            before = read_list(path, kind)
        except GalleryDamagedError:
            if not replace_damaged:
                raise
            path.replace(path.with_suffix(".damaged"))
            before = []
        after = change(before)
        if after != before:
            with replacing(path) as beside:
                body = {"format": 1, path.stem: after}
                beside.write_text(json.dumps(body, indent=2), encoding="ascii")
    finally:
        lock.release()
