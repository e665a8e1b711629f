"""Reading words and their details out of PostgreSQL, as they are scored; what cannot be is an error."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np

from stsearch.errors import GalleryDamagedError
from stsearch.gallery.packing import unpack_characters, unpack_posteriors
from stsearch.gallery.postgres.database import Database
from stsearch.gallery.postgres.filters import Condition
from stsearch.gallery.records import (
    Detail,
    InstanceTable,
    Reading,
    read_confidences,
    read_outline,
    unit_vectors,
)
from stsearch.types import TextInstance

_TABLE = "SELECT id, content, transcript, confidence, COALESCE(page, 0), vector FROM words WHERE"

Value = TypeVar("Value")


def read_table(database: Database, dim: int, condition: Condition) -> InstanceTable:
    """Return the instances that meet ``condition``, which is one on rows of ``words``, by id.

    Embeddings of other weights, whose photographs wait for being read again, are zeros.
    """
    rows = database.rows(f"{_TABLE} {condition.sql} ORDER BY id", *condition.values)
    ids, contents, transcripts, confidences, pages, vectors = zip(*rows, strict=True) if rows else ((),) * 6
    known = np.array([vector is not None for vector in vectors], bool)
    embeddings = np.zeros((len(rows), dim), np.float16)
    try:
        if known.any():
            embeddings[known] = [vector.to_numpy() for vector in vectors if vector is not None]
        return InstanceTable(
            np.asarray(ids, np.int64),
            np.asarray(contents, np.int64),
            tuple(transcripts),
            read_confidences(confidences, transcripts),
            unit_vectors(embeddings),
            np.asarray(pages, np.int64),
            None if known.all() else known,
        )
    except ValueError as error:
        raise damaged(database, str(error)) from error


def read_ids(database: Database, dim: int, ids: Iterable[int]) -> InstanceTable:
    """Return the instances ``ids``; those that are gone are left out."""
    return read_table(database, dim, Condition("id = ANY(%s)", (list(ids),)))


def read_details(database: Database, ids: Iterable[int]) -> dict[int, Detail]:
    """Return the details of each of the instances ``ids``; one that is gone has no entry."""
    rows = database.rows(
        "SELECT id, polygon, score, characters, ctc_posteriors, page"
        " FROM words JOIN word_details ON word = id WHERE id = ANY(%s)",
        list(ids),
    )
    return {
        number: Detail(
            _checked(database, read_outline, polygon),
            score,
            unpack_characters(characters),
            _checked(database, unpack_posteriors, posteriors),
            page,
        )
        for number, polygon, score, characters, posteriors, page in rows
    }


def read_readings(database: Database, contents: Iterable[int]) -> dict[int, list[Reading]]:
    """Return the readings of all instances of each of ``contents``, as they were added."""
    found: dict[int, list[Reading]] = {}
    for content, polygon, transcript, page in database.rows(
        "SELECT content, polygon, transcript, page FROM words JOIN word_details ON word = id"
        " WHERE content = ANY(%s) ORDER BY id",
        list(contents),
    ):
        outline = _checked(database, read_outline, polygon)
        found.setdefault(content, []).append(Reading(outline, transcript, page))
    return found


def read_text_instances(
    database: Database, dim: int, contents: Iterable[int]
) -> dict[int, list[TextInstance]]:
    """Return all instances of each of ``contents`` without their CTC posteriors, as they were added."""
    found: dict[int, list[TextInstance]] = {}
    table = read_table(database, dim, Condition("content = ANY(%s)", (list(contents),)))
    details = read_details(database, table.ids.tolist())
    for row, number in enumerate(table.ids.tolist()):
        if (detail := details.get(number)) is None:  # removed by another process just now
            continue
        found.setdefault(int(table.contents[row]), []).append(
            TextInstance(
                detail.polygon,
                detail.score,
                table.transcripts[row],
                float(table.confidences[row]),
                table.embeddings[row],
                detail.characters,
                page=detail.page,
            )
        )
    return found


def damaged(database: Database, what: str) -> GalleryDamagedError:
    """Return the error that names the gallery, the damage and the remedy."""
    return GalleryDamagedError(f"{database.url} is damaged ({what}); stsearch verify says where")


def _checked(
    database: Database, read: Callable[[bytes], Value], stored: Any
) -> Value:  # Any: bytes, by psycopg
    try:
        return read(bytes(stored))
    except ValueError as error:
        raise damaged(database, str(error)) from error
