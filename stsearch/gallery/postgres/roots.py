"""The folders of photographs that a gallery in PostgreSQL knows."""

from __future__ import annotations

import os
from dataclasses import dataclass

from stsearch.errors import UsageError
from stsearch.gallery.postgres.database import Database, Session
from stsearch.objects.url import Location, located


@dataclass(frozen=True, slots=True)
class Root:
    """A folder of photographs, or their URL: its id, and where it is."""

    number: int
    path: Location


def read_roots(database: Database) -> dict[int, Location]:
    """Return all folders, by their ids, in the order of their paths."""
    rows = database.rows("SELECT id, path FROM roots ORDER BY path")
    return {number: located(os.fsdecode(path)) for number, path in rows}


def enter_root(session: Session, photos: Location) -> Root:
    """Return the folder ``photos``, which is entered if the gallery does not know it yet."""
    path = os.fsencode(str(photos))
    session.execute("INSERT INTO roots (path) VALUES (%s) ON CONFLICT (path) DO NOTHING", [path])
    [(number,)] = session.execute("SELECT id FROM roots WHERE path = %s", [path]).fetchall()
    return Root(number, photos)


def move_root(session: Session, photos: Location, name: str) -> None:
    """Let the only folder of the gallery ``name`` lie in ``photos`` now.

    Raises:
        UsageError: there are several.
    """
    path = os.fsencode(str(photos))
    known = session.execute("SELECT id, path FROM roots FOR UPDATE").fetchall()
    if len(known) > 1 and path not in {each for _, each in known}:
        folders = ", ".join(os.fsdecode(each) for _, each in known)
        raise UsageError(f"{name} holds several folders ({folders}): which of them moved cannot be told")
    if len(known) == 1:
        session.execute("UPDATE roots SET path = %s", [path])
        session.execute("DELETE FROM devices")
