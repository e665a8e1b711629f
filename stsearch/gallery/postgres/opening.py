"""Opening a gallery in PostgreSQL: to search, to index a folder, to take photographs out."""

from __future__ import annotations

from stsearch.gallery.address import DatabaseUrl
from stsearch.gallery.postgres.reading import PostgresGallery
from stsearch.gallery.postgres.roots import Root, enter_root, move_root, read_roots
from stsearch.gallery.postgres.tables import make_tables, open_tables, read_facts
from stsearch.gallery.postgres.writing import EditablePostgresGallery, WritablePostgresGallery, begin_reread
from stsearch.gallery.protocol import Notify
from stsearch.objects.url import Location
from stsearch.types import ModelInfo

_UNKNOWN = 0  # what no folder has for a number


def open_gallery(url: DatabaseUrl, notify: Notify) -> PostgresGallery:
    """Open a gallery for searching.

    Raises:
        GalleryNotFoundError: there is none.
        NewerFormatError: it was made by a newer version.
        GalleryUnreadableError: it cannot be reached.
    """
    return PostgresGallery(open_tables(url, notify))


def view_folder(url: DatabaseUrl, photos: Location, notify: Notify) -> WritablePostgresGallery:
    """Open a gallery for reading what it knows of the folder ``photos``; it cannot be written to.

    Raises:
        GalleryNotFoundError: there is none.
        NewerFormatError: it was made by a newer version.
        GalleryUnreadableError: it cannot be reached.
    """
    database = open_tables(url, notify)
    numbers = [number for number, path in read_roots(database).items() if path == photos]
    root = Root(numbers[0] if numbers else _UNKNOWN, photos)
    return WritablePostgresGallery(database, root, read_facts(database).model, notify)


def edit_gallery(url: DatabaseUrl, notify: Notify) -> EditablePostgresGallery:
    """Open a gallery for taking photographs out, or for making its tables anew; an older one is migrated.

    Raises:
        GalleryNotFoundError: there is none.
        NewerFormatError: it was made by a newer version.
        GalleryUnreadableError: it cannot be reached.
        WriteError: it cannot be written to.
    """
    return EditablePostgresGallery(make_tables(url, None, notify), None, notify)


def create_gallery(
    url: DatabaseUrl,
    photos: Location,
    model: ModelInfo,
    notify: Notify,
    reread: bool = False,
    moved: bool = False,
) -> WritablePostgresGallery:
    """Open a gallery for indexing the folder ``photos``; make it where there is none.

    Args:
        url: of the database.
        photos: the folder.
        model: the weights that will read it.
        notify: takes a sentence when something is slower, or missing, that need not be.
        reread: let every photograph wait for being read again, by ``model`` whatever read it before.
        moved: the photographs of the only folder that it holds lie in ``photos`` now.

    Raises:
        WeightsError: it was made with other weights.
        UsageError: it holds several folders, and ``moved`` does not say which.
        NewerFormatError: it was made by a newer version.
        GalleryUnreadableError: it cannot be reached.
        WriteError: it cannot be written to.
    """
    database = make_tables(url, model, notify)
    try:
        if reread:
            database.run(lambda session: begin_reread(session, model))
        PostgresGallery(database).check_model(model)
        if moved:
            database.run(lambda session: move_root(session, photos, str(url)))
        root = database.run(lambda session: enter_root(session, photos))
        return WritablePostgresGallery(database, root, model, notify)
    except BaseException:
        database.close()
        raise
