"""Whose galleries are used: the user's own, those of root, and those that the user said to trust.

A gallery is picked up in any parent of the current folder, and what it says reaches other programs: a folder
that somebody else laid out must not choose it. Nor may it lead elsewhere: through a link in the place of a
gallery, commands would read and write in a folder that nobody named.
"""

from __future__ import annotations

import os
import pwd
from contextlib import suppress
from pathlib import Path

from stsearch.errors import GalleryUnreadableError, GalleryUntrustedError
from stsearch.gallery.file_systems import statuses
from stsearch.gallery.user_lists import Entries, change_list, read_list

_ROOT = 0


def check_owner(folder: Path, home: Path) -> None:
    """Refuse the gallery in ``folder`` when it is of another user, unless the list in ``home`` trusts it.

    Raises:
        GalleryUntrustedError: it is, and the message says how to trust it; or ``folder`` is a link.
        GalleryUnreadableError: the folder cannot be looked into.
        GalleryDamagedError: the list is damaged.
    """
    owners = _other_owners(folder)
    if owners and _entry(folder, owners) not in read_list(_list(home), dict):
        names = ", ".join(map(_user_name, owners))
        raise GalleryUntrustedError(
            f"the gallery {folder} belongs to {names}; if you trust it: stsearch galleries trust {folder}"
        )


def trust(folder: Path, home: Path) -> None:
    """Let the gallery in ``folder`` be used while it belongs to whom it belongs now.

    Raises:
        GalleryUntrustedError: ``folder`` is a link.
        GalleryUnreadableError: the folder cannot be looked into.
        GalleryDamagedError: the list is damaged.
        WriteError: the list cannot be written.
    """
    if owners := _other_owners(folder):
        name = os.fspath(folder)

        def change(entries: Entries) -> Entries:
            others = [each for each in entries if each.get("path") != name]
            return [*others, _entry(folder, owners)]

        change_list(_list(home), dict, change)


def _list(home: Path) -> Path:
    return home / "trusted.json"


def _entry(folder: Path, owners: list[int]) -> dict[str, object]:
    return {"path": os.fspath(folder), "owners": owners}


def _other_owners(folder: Path) -> list[int]:
    """Return the numbers of the users, but this one and root, who own ``folder`` or a file in it."""
    try:
        if folder.is_symlink():
            target = folder.readlink()
            raise GalleryUntrustedError(
                f"{folder} is a link to {target}: none is followed; name the gallery with --index {target}"
            )
        owners = {folder.stat().st_uid} | {status.st_uid for status in statuses(folder)}
    except OSError as error:
        raise GalleryUnreadableError(f"cannot look into {folder}: {error.strerror or error}") from error
    return sorted(owners - {os.geteuid(), _ROOT})


def _user_name(number: int) -> str:
    with suppress(KeyError):
        return pwd.getpwuid(number).pw_name
    return f"user {number}"
