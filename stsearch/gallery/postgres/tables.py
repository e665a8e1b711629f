"""Making the tables of a gallery, bringing older ones up to date, and reading what is true of all of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial

import psycopg
from psycopg.types.json import Jsonb

from stsearch.errors import (
    GalleryDamagedError,
    GalleryNotFoundError,
    GalleryUnreadableError,
    NewerFormatError,
    StsearchError,
)
from stsearch.gallery.address import DatabaseUrl
from stsearch.gallery.postgres.database import Database, Session, no_gallery
from stsearch.gallery.postgres.schema import EXTENSIONS, MIGRATIONS, SCHEMA
from stsearch.gallery.protocol import Notify
from stsearch.types import ModelInfo

_MIN_PGVECTOR = (0, 8)
_LOCK = int.from_bytes(b"stsearch", "big") >> 1  # of making and migrating, by two machines at a time


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true of a whole gallery.

    Attributes:
        model: the weights whose embeddings it holds.
        version: of its tables.
        engine: device, precision and library that found the newest words; empty: not known.
    """

    model: ModelInfo
    version: int
    engine: str


def open_tables(url: DatabaseUrl, notify: Notify) -> Database:
    """Connect to a gallery for reading.

    Raises:
        GalleryNotFoundError: there is none.
        NewerFormatError: it was made by a newer version.
        GalleryUnreadableError: it was made by an older one, or cannot be reached.
    """
    database = Database(url, writes=False, notify=notify)
    try:
        version = read_facts(database).version
        if version < len(MIGRATIONS):
            raise GalleryUnreadableError(
                f"the tables of {url} are of version {version}: bring them up to version {len(MIGRATIONS)}"
                f" with: stsearch rebuild --index {url}"
            )
        database.learn_types()
    except BaseException:
        database.close()
        raise
    return database


def make_tables(url: DatabaseUrl, model: ModelInfo | None, notify: Notify) -> Database:
    """Connect to a gallery for writing; make it where there is none, and migrate one of an older version.

    Args:
        url: of the database.
        model: the weights of a gallery that is made; None: none is.
        notify: takes a sentence when something is slower, or missing, that need not be.

    Raises:
        GalleryNotFoundError: there is none, and none is to be made.
        NewerFormatError: it was made by a newer version.
        GalleryUnreadableError: the server cannot be reached, or has no pgvector.
        WriteError: this user may not make or migrate one.
    """
    database = Database(url, writes=True, notify=notify)
    try:
        has_gallery = database.value("SELECT to_regclass(%s) IS NOT NULL", f"{SCHEMA}.gallery")
        if not has_gallery:
            if model is None:
                raise GalleryNotFoundError(no_gallery(url))
            _make_extensions(database)
            _check_version(database)
        database.learn_types()
        if not has_gallery or read_facts(database).version < len(MIGRATIONS):
            database.run(partial(_migrate, model=model))
    except BaseException:
        database.close()
        raise
    return database


def read_facts(database: Database) -> Facts:
    """Return what is true of the gallery in ``database``.

    Raises:
        GalleryNotFoundError: there is none.
        NewerFormatError: it was made by a newer version.
        GalleryDamagedError: what is there is none.
    """
    rows = database.rows("SELECT version, model, engine FROM gallery")
    if not rows:
        raise GalleryNotFoundError(no_gallery(database.url))
    [(version, model, engine)] = rows
    if version > len(MIGRATIONS):
        raise NewerFormatError(
            f"the tables of {database.url} are of version {version}, this program reads up to"
            f" {len(MIGRATIONS)}: upgrade stsearch"
        )
    try:
        return Facts(ModelInfo(**model), version, engine)
    except TypeError as error:
        raise GalleryDamagedError(f"{database.url} does not say which weights filled it: {error}") from error


def stored_model(model: ModelInfo) -> Jsonb:
    """Return ``model`` as it is stored; a search takes the rest from the weights."""
    stored = asdict(model)
    for name in ("likelihood_weight", "calibration"):
        del stored[name]
    return Jsonb(stored)


def _make_extensions(database: Database) -> None:
    """Make the extensions that a database has not.

    Raises:
        GalleryUnreadableError: the server has one of them not, or this user may not make it.
    """
    for name in EXTENSIONS:
        try:
            database.run(partial(_make_extension, name=name))
        except (StsearchError, psycopg.Error) as error:
            raise GalleryUnreadableError(
                f"{database.url} has no extension {name}, which a gallery needs: install pgvector (package"
                f" postgresql-NN-pgvector) on the server, and let its administrator run in this database:"
                f" CREATE EXTENSION {name}"
            ) from error


def _make_extension(session: Session, name: str) -> None:
    session.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    if session.execute("SELECT FROM pg_extension WHERE extname = %s", [name]).fetchone() is None:
        session.execute(f"CREATE EXTENSION {name}".encode())


def _check_version(database: Database) -> None:
    """Refuse a pgvector that cannot go on searching where a filter leaves little.

    Raises:
        GalleryUnreadableError: it is too old.
    """
    version = str(database.value("SELECT extversion FROM pg_extension WHERE extname = 'vector'"))
    if tuple(map(int, version.split(".")[:2])) < _MIN_PGVECTOR:
        raise GalleryUnreadableError(
            f"{database.url} has pgvector {version}, a gallery needs 0.8: upgrade it on the server, and run"
            " in this database: ALTER EXTENSION vector UPDATE"
        )


def _migrate(session: Session, model: ModelInfo | None) -> None:
    session.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    # IF NOT EXISTS may not see yet what another process made while this one waited for the lock.
    if session.execute("SELECT FROM pg_namespace WHERE nspname = %s", [SCHEMA]).fetchone() is None:
        session.execute(f"CREATE SCHEMA {SCHEMA}")
    version = 0
    if session.execute("SELECT to_regclass(%s) IS NOT NULL", [f"{SCHEMA}.gallery"]).fetchone() == (True,):
        [(version, stored)] = session.execute("SELECT version, model FROM gallery").fetchall()
        model = ModelInfo(**stored)
    assert model is not None  # who makes none has found one
    for script in MIGRATIONS[version:]:
        session.execute(script.replace("{dim}", str(model.dim)))
    if version == 0:
        session.execute(
            "INSERT INTO gallery (version, model, model_sha256) VALUES (%s, %s, %s)",
            [len(MIGRATIONS), stored_model(model), model.sha256],
        )
    else:
        session.execute("UPDATE gallery SET version = %s", [len(MIGRATIONS)])
