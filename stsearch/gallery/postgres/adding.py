"""Adding a batch of records in one transaction; repeated, it changes nothing more.

Rows are locked in the order of checksums, then of paths: two machines never wait for each other in a circle.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import datetime

from pgvector import HalfVector

from stsearch.errors import WeightsError
from stsearch.gallery.packing import pack_characters, pack_posteriors
from stsearch.gallery.postgres.database import Session
from stsearch.gallery.postgres.filters import shown_name
from stsearch.gallery.records import Failed, Linked, Record, Spotted
from stsearch.text.charset import normalize
from stsearch.types import TextInstance

_CONTENT = """
    INSERT INTO contents (sha256, model_sha256, height, width, taken, note, reread)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (sha256) DO UPDATE SET sha256 = excluded.sha256
    RETURNING id, xmax = 0, reread IS NOT NULL"""
"""Of one that is there already it changes nothing, but locks it: nobody may remove it any more."""

_AGAIN = """
    UPDATE contents SET model_sha256 = %s, height = %s, width = %s, taken = %s, note = %s, reread = %s
    WHERE id = %s"""
_FILE = """
    INSERT INTO files (root, path, name, size, mtime_ns, stamp, moment, content, reason)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (root, path) DO UPDATE SET
        size = excluded.size, mtime_ns = excluded.mtime_ns, stamp = excluded.stamp,
        moment = excluded.moment, content = excluded.content, reason = excluded.reason,
        stored_at = clock_timestamp()"""
_COPY_WORDS = (
    "COPY words (id, content, folded, transcript, confidence, score, page, vector) FROM STDIN (FORMAT BINARY)"
)
_WORD_TYPES = ("int8", "int8", "text", "text", "float4", "float4", "int4", "halfvec")
_COPY_DETAILS = "COPY word_details (word, polygon, characters, ctc_posteriors) FROM STDIN (FORMAT BINARY)"
_DETAIL_TYPES = ("int8", "bytea", "bytea", "bytea")


def add_batch(session: Session, root: int, model_sha256: str, batch: Sequence[Record]) -> None:
    """Add ``batch`` in the transaction that is open, and strike its files off the tasks.

    Args:
        session: in a transaction.
        root: id of the folder of the files.
        model_sha256: of the weights that read them.
        batch: records of different files; each replaces the previous one of its path.

    Raises:
        WeightsError: other weights have taken over.
        ValueError: a content that a file was to be linked to is gone.
    """
    check_weights(session, model_sha256)
    contents = dict[str, tuple[int, datetime | None]]()  # id, and when it was taken, by checksum
    for photo in sorted((each for each in batch if isinstance(each, Spotted)), key=lambda each: each.sha256):
        contents[photo.sha256] = _add_photo(session, model_sha256, photo), _moment(photo.taken)
    linked = sorted({each.sha256 for each in batch if isinstance(each, Linked)} - contents.keys())
    for number, sha256, taken in session.execute(
        "SELECT id, sha256, taken FROM contents WHERE sha256 = ANY(%s) ORDER BY sha256 FOR KEY SHARE",
        [linked],
    ):
        contents[sha256] = number, taken
    paths = sorted(os.fsencode(record.file.path) for record in batch)
    before = _lock_contents(session, root, paths)
    rows = [_file_row(root, record, contents) for record in sorted(batch, key=lambda each: each.file.path)]
    with session.cursor() as cursor:
        cursor.executemany(_FILE, rows)
    remove_unused(session, before)
    session.execute("DELETE FROM tasks WHERE root = %s AND path = ANY(%s)", [root, paths])


def remove_files(session: Session, root: int, paths: Iterable[str]) -> None:
    """Remove files, the tasks for them, and the contents that no file has any more."""
    encoded = sorted(map(os.fsencode, paths))
    before = _lock_contents(session, root, encoded)
    session.execute("DELETE FROM files WHERE root = %s AND path = ANY(%s)", [root, encoded])
    session.execute("DELETE FROM tasks WHERE root = %s AND path = ANY(%s)", [root, encoded])
    remove_unused(session, before)


def remove_unused(session: Session, contents: Iterable[int]) -> None:
    """Remove those of ``contents`` that no file has, with their words."""
    session.execute(
        "DELETE FROM contents WHERE id = ANY(%s)"
        " AND NOT EXISTS (SELECT FROM files WHERE files.content = contents.id)",
        [sorted(set(contents))],
    )


def check_weights(session: Session, model_sha256: str) -> None:
    """Keep other weights from taking over until the transaction ends.

    Raises:
        WeightsError: they have already.
    """
    for name, sha256 in session.execute(
        "SELECT model->>'name', model_sha256 FROM gallery WHERE model_sha256 != %s FOR SHARE", [model_sha256]
    ):
        raise WeightsError(
            f"the gallery was taken over by the weights {name} (sha256 {sha256[:12]}) while this run went on:"
            " run the same command with those"
        )


def _lock_contents(session: Session, root: int, paths: Sequence[bytes]) -> list[int]:
    """Lock the rows of files, and return the contents that they have."""
    found = session.execute(
        "SELECT content FROM files WHERE root = %s AND path = ANY(%s) ORDER BY path FOR UPDATE",
        [root, list(paths)],
    )
    return [content for (content,) in found if content is not None]


def _add_photo(session: Session, model_sha256: str, photo: Spotted) -> int:
    """Add what was found in a photograph, and return the id of its content.

    A content that waits for being read again keeps its id, and has new words afterwards; any other that is
    there already came from a copy of the file, perhaps by another machine, and stays.
    """
    reread = "recognizer" if photo.is_rough and photo.instances else None
    values = (model_sha256, photo.height, photo.width, _moment(photo.taken), photo.note, reread)
    [(content, is_new, waits)] = session.execute(_CONTENT, (photo.sha256, *values)).fetchall()
    if not (is_new or waits):
        return int(content)
    if not is_new:
        session.execute("DELETE FROM words WHERE content = %s", [content])
        session.execute(_AGAIN, (*values, content))
    _add_words(session, content, photo.instances)
    return int(content)


def _add_words(session: Session, content: int, instances: Sequence[TextInstance]) -> None:
    if not instances:
        return
    ids = [
        number
        for (number,) in session.execute(
            "SELECT nextval(pg_get_serial_sequence('words', 'id')) FROM generate_series(1, %s)",
            [len(instances)],
        )
    ]
    add_words(session, zip(ids, [content] * len(ids), instances, strict=True))


def add_words(session: Session, words: Iterable[tuple[int, int, TextInstance]]) -> None:
    """Add words, each with its new id and that of its content."""
    kept = list(words)
    with session.cursor().copy(_COPY_WORDS) as copy:
        copy.set_types(_WORD_TYPES)
        for number, content, each in kept:
            copy.write_row(
                (
                    number,
                    content,
                    normalize(each.transcript),
                    each.transcript,
                    float(each.confidence),
                    float(each.score),
                    each.page,
                    HalfVector(each.embedding),
                )
            )
    with session.cursor().copy(_COPY_DETAILS) as copy:
        copy.set_types(_DETAIL_TYPES)
        for number, _, each in kept:
            copy.write_row(
                (
                    number,
                    each.polygon.astype("<f4").tobytes(),
                    pack_characters(each.characters),
                    pack_posteriors(each.ctc_posteriors),
                )
            )


def _file_row(
    root: int, record: Record, contents: dict[str, tuple[int, datetime | None]]
) -> tuple[object, ...]:
    file = record.file
    content, taken, reason = None, None, None
    if isinstance(record, Failed):
        reason = record.reason
    elif record.sha256 not in contents:
        raise ValueError("the photograph that it is a copy of was removed")
    else:
        content, taken = contents[record.sha256]
    return (
        root,
        os.fsencode(file.path),
        shown_name(file.path),
        file.size,
        file.mtime_ns,
        file.stamp,
        taken or file.changed,
        content,
        reason,
    )


def _moment(taken: str | None) -> datetime | None:
    return None if taken is None else datetime.fromisoformat(taken)
