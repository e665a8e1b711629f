"""Adding records to a catalog: a file, what its bytes hold, and the words in them."""

from __future__ import annotations

import os

import numpy as np

from stsearch.gallery.database import Database, Row
from stsearch.gallery.packing import pack_characters, pack_posteriors
from stsearch.gallery.records import Failed, Linked, Record, Spotted, row_checksum
from stsearch.gallery.rereads import Rereads
from stsearch.gallery.schema import COLUMNS
from stsearch.text.charset import normalize


def add_record(database: Database, rereads: Rereads, record: Record) -> None:
    """Add ``record`` in the transaction that is open; it replaces the previous one of its path."""
    content = reason = None
    match record:
        case Failed():
            reason = record.reason
        case Linked():
            content = _content_id(database, record.sha256)
        case Spotted():
            content = _add_spotted(database, rereads, record)
    file, status = record.file, "ok" if reason is None else "failed"
    row = (os.fsencode(file.path), file.size, file.mtime_ns, status, content, reason, file.stamp)
    database.execute(
        f"INSERT INTO images ({COLUMNS['images']}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (path) DO UPDATE SET"
        " size = excluded.size, mtime_ns = excluded.mtime_ns, status = excluded.status,"
        " content_id = excluded.content_id, reason = excluded.reason, stamp = excluded.stamp,"
        " checksum = excluded.checksum",
        (*row, row_checksum(*row)),
    )


def _content_id(database: Database, sha256: str) -> int | None:
    for number, *_ in database.among("contents", "sha256", [sha256]):
        return int(number)
    return None


def _add_spotted(database: Database, rereads: Rereads, photo: Spotted) -> int:
    """Add what was found in a photograph, and return the id of its content.

    A content that waits for being read again keeps its id, and has new instances afterwards; any other that
    is there already came from a copy of the file, and stays.
    """
    content = _content_id(database, photo.sha256)
    if content is None:
        content = database.next_id("contents")
        database.insert("contents", [_content_row(content, photo)])
    elif content in rereads:
        rereads.remove(content)
        database.execute("DELETE FROM instances WHERE content_id = ?", (content,))
        checksum = row_checksum(*_content_row(content, photo))
        database.execute(
            "UPDATE contents SET height = ?, width = ?, taken = ?, note = ?, checksum = ? WHERE id = ?",
            (photo.height, photo.width, photo.taken, photo.note, checksum, content),
        )
    else:
        return content
    _add_instances(database, content, photo)
    if photo.is_rough and photo.instances:
        rereads.add(content, "recognizer")
    return content


def _content_row(content: int, photo: Spotted) -> Row:
    return content, photo.sha256, photo.height, photo.width, photo.taken, photo.note


def _add_instances(database: Database, content: int, photo: Spotted) -> None:
    first = database.next_id("instances")
    database.insert(
        "instances",
        [
            (
                number,
                content,
                instance.polygon.astype(np.float32).tobytes(),
                float(instance.score) + 0.0,  # SQLite keeps no sign of zero
                instance.transcript,
                normalize(instance.transcript),
                float(instance.confidence) + 0.0,
                instance.embedding.astype(np.float16).tobytes(),
                pack_characters(instance.characters),
                pack_posteriors(instance.ctc_posteriors),
                instance.page,
            )
            for number, instance in enumerate(photo.instances, start=first)
        ],
    )
