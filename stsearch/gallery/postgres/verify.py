"""Finding damage in a gallery in PostgreSQL: what its tables cannot refuse; its pages the server verifies."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np

from stsearch.checksums import file_sha256
from stsearch.errors import GalleryDamagedError
from stsearch.gallery.address import DatabaseUrl
from stsearch.gallery.postgres import instances
from stsearch.gallery.postgres.database import Database, Session
from stsearch.gallery.postgres.roots import read_roots
from stsearch.gallery.postgres.tables import open_tables
from stsearch.gallery.protocol import Finding, Notify
from stsearch.gallery.records import MAX_TRANSCRIPT, PhotoFile, is_inside
from stsearch.gallery.verify import MIN_SHARED, NEIGHBOURS, SAMPLE

_CHECKS = (
    (
        "words",
        "SELECT count(*) FROM words WHERE vector IS NOT NULL AND abs(l2_norm(vector) - 1) > 0.01",
        "vectors are not of unit length",
    ),
    (
        "words",
        f"SELECT count(*) FROM words WHERE length(transcript) > {MAX_TRANSCRIPT}",
        "transcripts are longer than that of any word",
    ),
    (
        "words",
        "SELECT count(*) FROM words WHERE NOT (confidence BETWEEN 0 AND 1 AND score BETWEEN 0 AND 1)",
        "confidences or scores lie outside of [0, 1]",
    ),
    (
        "words",
        "SELECT count(*) FROM words JOIN contents ON contents.id = content"
        " WHERE vector IS NULL AND reread IS DISTINCT FROM 'weights'",
        "words have no vector",
    ),
    (
        "word_details",
        "SELECT count(*) FROM words WHERE NOT EXISTS (SELECT FROM word_details WHERE word = id)",
        "words have no outline",
    ),
    (
        "contents",
        "SELECT count(*) FROM contents WHERE NOT EXISTS (SELECT FROM files WHERE content = contents.id)",
        "contents belong to no file",
    ),
    (
        "contents",
        "SELECT count(*) FROM contents WHERE height <= 0 OR width <= 0",
        "photographs have no pixels",
    ),
)
"""Tables, statements that count what is wrong in them, and what that is."""

_CHUNK = 2000  # words whose details are read together
_COMPARED = 100_000  # words that a sample is compared with at most, each with its vector


def find_damage(url: DatabaseUrl, deep: bool, notify: Notify) -> Iterator[Finding]:
    """Yield the damage of a gallery.

    Args:
        url: of the gallery.
        deep: also compare the index of the words with the words, and the photographs with their checksums.
        notify: takes a sentence about what is not verified.
    """
    database = open_tables(url, notify)
    try:
        for table, statement, what in _CHECKS:
            if wrong := database.value(statement):
                yield Finding(f"{url}, table {table}", f"{wrong} {what}")
        for (path,) in database.rows("SELECT path FROM files WHERE content IS NOT NULL"):
            if not is_inside(os.fsdecode(path)):
                yield Finding(
                    f"{url}, table files", f"the path {os.fsdecode(path)!r} leads out of its folder"
                )
        yield from _damaged_details(database)
        if database.value("SHOW data_checksums") != "on":
            notify("the server keeps no checksums of its pages (initdb --data-checksums does)")
        if deep:
            yield from _index_damage(database)
            yield from _changed_photos(database)
    finally:
        database.close()


def _damaged_details(database: Database) -> Iterator[Finding]:
    last = 0
    while ids := [
        row[0]
        for row in database.rows("SELECT id FROM words WHERE id > %s ORDER BY id LIMIT %s", last, _CHUNK)
    ]:
        last = ids[-1]
        try:
            instances.read_details(database, ids)
        except GalleryDamagedError as error:
            yield Finding(f"{database.url}, table word_details", f"between word {ids[0]} and {last}: {error}")


def _index_damage(database: Database) -> Iterator[Finding]:
    """Yield that the index does not find what comparing with every vector does, or that there is none."""
    if database.value("SELECT to_regclass('words_vector') IS NULL"):
        yield Finding(
            f"{database.url}, index words_vector", "it is missing; remake it with: stsearch rebuild"
        )
        return
    rows = database.rows("SELECT id FROM words WHERE vector IS NOT NULL ORDER BY id LIMIT %s", _COMPARED)
    if not rows:
        return
    picked = [rows[at][0] for at in np.linspace(0, len(rows) - 1, min(SAMPLE, len(rows)), dtype=int)]
    shared = []
    for number in picked:
        exact = database.run(partial(_nearest, number=number, without="enable_indexscan"))
        found = database.run(partial(_nearest, number=number, without="enable_seqscan"))
        least = min(exact) - 1e-3
        shared.append(sum(each >= least for each in found) / len(exact))
    if np.mean(shared) < MIN_SHARED:
        yield Finding(
            f"{database.url}, index words_vector", f"it finds {np.mean(shared):.0%} of the nearest words"
        )


def _nearest(session: Session, number: int, without: str) -> Sequence[float]:
    """Return the similarities of the words nearest to one, found without a way to read the table."""
    session.execute(f"SET LOCAL {without} = off".encode())
    rows = session.execute(
        "SELECT -(vector <#> (SELECT vector FROM words WHERE id = %s)) FROM words"
        " ORDER BY vector <#> (SELECT vector FROM words WHERE id = %s) LIMIT %s",
        [number, number, NEIGHBOURS],
    )
    return [similarity for (similarity,) in rows if similarity is not None]


def _changed_photos(database: Database) -> Iterator[Finding]:
    """Yield the photographs that are seen from here whose bytes changed though size and time did not."""
    for number, root in read_roots(database).items():
        if not isinstance(root, Path):
            continue  # an object whose bytes change has another ETag
        for path, size, mtime_ns, sha256 in database.rows(
            "SELECT path, size, mtime_ns, sha256 FROM files JOIN contents ON contents.id = content"
            " WHERE root = %s ORDER BY path",
            number,
        ):
            name = os.fsdecode(path)
            place = root / name
            with suppress(FileNotFoundError, NotADirectoryError):  # gone is not damaged: index again
                try:
                    is_same = PhotoFile.from_stat(name, place.stat()) == PhotoFile(name, size, mtime_ns)
                    if is_same and file_sha256(place) != sha256:
                        yield Finding(place, "its content changed, and its size and time did not")
                except PermissionError as error:
                    yield Finding(place, error.strerror or str(error))
