"""Opening a gallery wherever it is: in a folder, or in PostgreSQL, which is loaded only where it is named."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from stsearch.errors import GalleryNotFoundError, UsageError
from stsearch.gallery import registry
from stsearch.gallery.address import Address, DatabaseUrl, parse_address
from stsearch.gallery.gallery import Gallery as LocalGallery
from stsearch.gallery.protocol import EditableGallery, Finding, Gallery, Notify, WritableGallery, unheard
from stsearch.gallery.verify import verify
from stsearch.objects.url import Location, resolved
from stsearch.types import ModelInfo


def open_gallery(where: Address | str, notify: Notify = unheard) -> Gallery:
    """Open a gallery for searching.

    Args:
        where: its folder, or that of the photographs it lies in; or the URL of a database.
        notify: takes a sentence when something is slower, or missing, that need not be.

    Raises:
        GalleryNotFoundError: there is none.
        GalleryDamagedError: it is damaged, or of a newer format.
        GalleryUnreadableError: it cannot be reached or read.
        UsageError: what opens such a gallery is not installed.
    """
    address = parse_address(where)
    if isinstance(address, DatabaseUrl):
        with _installed():
            from stsearch.gallery.postgres import opening
        return opening.open_gallery(address, notify)
    return LocalGallery.open(address, notify)


def is_there(where: Address | str) -> bool:
    """Return whether there is a gallery; of a database this is found out where it is opened.

    Raises:
        GalleryUnreadableError: its folder cannot be looked into.
    """
    address = parse_address(where)
    return isinstance(address, DatabaseUrl) or registry.is_gallery(address)


def create_gallery(
    where: Address | str,
    photos: Location,
    model: ModelInfo,
    notify: Notify = unheard,
    reread: bool = False,
    moved: bool = False,
) -> WritableGallery:
    """Open a gallery for indexing the folder ``photos``; make it where there is none.

    Args:
        where: its folder; or the URL of a database.
        photos: the folder of the photographs.
        model: the weights that will read them.
        notify: takes a sentence when something is slower, or missing, that need not be.
        reread: let every photograph wait for being read again, by ``model`` whatever read it before.
        moved: the photographs that it holds lie in ``photos`` now.

    Raises:
        GalleryLockedError: another process is writing to it, and only one may.
        WeightsError: it was made with other weights.
        UsageError: it holds the photographs of another folder, and cannot hold those of several.
        GalleryDamagedError, GalleryUnreadableError: as for ``open_gallery``.
        WriteError: it cannot be written to.
    """
    address = parse_address(where)
    if isinstance(address, DatabaseUrl):
        with _installed():
            from stsearch.gallery.postgres import opening
        return opening.create_gallery(address, resolved(photos), model, notify, reread, moved)
    return LocalGallery.create(address, photos, model, notify, reread, moved)


def edit_gallery(where: Address | str, notify: Notify = unheard, restore: bool = False) -> EditableGallery:
    """Open a gallery for taking photographs out, or for remaking what searches are faster with.

    Args:
        where: its folder; or the URL of a database.
        notify: takes a sentence when something is slower, or missing, that need not be.
        restore: remake what says which gallery it is, where that is lost or damaged.

    Raises:
        GalleryNotFoundError: there is none.
        GalleryLockedError: another process is writing to it, and only one may.
        GalleryDamagedError, GalleryUnreadableError: as for ``open_gallery``.
        WriteError: it cannot be written to.
    """
    address = parse_address(where)
    if isinstance(address, DatabaseUrl):
        with _installed():
            from stsearch.gallery.postgres import opening
        return opening.edit_gallery(address, notify)
    return LocalGallery.edit(address, notify, restore)


def view_folder(where: Address | str, photos: Location, notify: Notify = unheard) -> WritableGallery | None:
    """Open a gallery for reading what it knows of the folder ``photos``, or return None where there is none.

    Raises:
        GalleryDamagedError, GalleryUnreadableError: as for ``open_gallery``.
    """
    address = parse_address(where)
    if not isinstance(address, DatabaseUrl):
        return LocalGallery.open(address, notify) if registry.is_gallery(address) else None
    with _installed():
        from stsearch.gallery.postgres import opening
    try:
        return opening.view_folder(address, resolved(photos), notify)
    except GalleryNotFoundError:
        return None


def verify_gallery(where: Address | str, deep: bool = False, notify: Notify = unheard) -> Iterator[Finding]:
    """Yield the damage of a gallery, as ``verify.verify`` does of one in a folder.

    Raises:
        GalleryLockedError: another process is writing to it.
        GalleryNotFoundError, GalleryUnreadableError: there is none in a database, or that cannot be reached.
    """
    address = parse_address(where)
    if not isinstance(address, DatabaseUrl):
        yield from verify(address, deep, notify)
        return
    with _installed():
        from stsearch.gallery.postgres.verify import find_damage
    yield from find_damage(address, deep, notify)


@contextmanager
def _installed() -> Iterator[None]:
    """Let modules be imported that need what only some installations have.

    Raises:
        UsageError: it is not installed.
    """
    try:
        yield
    except ImportError as error:
        raise UsageError(
            f"a gallery in PostgreSQL needs packages that are not here ({error}): pip install"
            " 'stsearch[postgres]'"
        ) from error
