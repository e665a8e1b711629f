"""Opening the files of a gallery together: the manifest must be the one that the catalog has a copy of."""

from __future__ import annotations

from pathlib import Path

from stsearch.errors import GalleryDamagedError, GalleryNotFoundError, NewerFormatError
from stsearch.gallery import registry
from stsearch.gallery.atomic_files import Lock, remove_parts
from stsearch.gallery.catalog import Catalog
from stsearch.gallery.manifest import FILE_NAME, Manifest


def open_to_read(folder: Path) -> tuple[Manifest, Catalog]:
    """Return the manifest and the catalog of the gallery in ``folder``.

    Raises:
        GalleryNotFoundError: there is none.
        GalleryDamagedError: it is damaged, or of a newer format.
        GalleryUnreadableError: it cannot be read.
    """
    manifest = Manifest.read(folder)  # first: an old catalog would be migrated beside a newer manifest
    catalog = Catalog(folder / registry.CATALOG_NAME, reads_only=True)
    try:
        manifest = _newest(folder, manifest, catalog)
    except BaseException:
        catalog.close()
        raise
    return manifest, catalog


def open_to_write(folder: Path, new: Manifest | None, restore: bool) -> tuple[Manifest, Catalog, Lock]:
    """Return manifest and catalog of the gallery in ``folder``, and the lock that keeps other writers out.

    Args:
        folder: of the gallery.
        new: makes a gallery where there is no catalog with a copy of another manifest.
        restore: remake a lost, damaged or exchanged manifest from the catalog.

    Raises:
        GalleryNotFoundError: there is none.
        GalleryLockedError: another process is writing to it.
        GalleryDamagedError: it is damaged, or of a newer format.
        GalleryUnreadableError, WriteError: it cannot be read, or written to.
    """
    lock = Lock(folder / "lock")
    try:
        for written in (FILE_NAME, "vectors-*.hnsw"):
            remove_parts(folder / written)
        found = None if new else _read_manifest(folder, restore)
        catalog = Catalog(folder / registry.CATALOG_NAME, create=new is not None)
        try:
            manifest = _reconcile(folder, found, new, catalog, restore)
        except BaseException:
            catalog.close()
            raise
    except BaseException:
        lock.release()
        raise
    return manifest, catalog, lock


def _reconcile(
    folder: Path, found: Manifest | None, new: Manifest | None, catalog: Catalog, restore: bool
) -> Manifest:
    """Return the manifest that goes with ``catalog``, and write it where it is not the one ``found``.

    The catalog is the truth: its copy is made once, and stays when other weights are refused.
    """
    copy, manifest = catalog.manifest_copy(), found
    if found is not None and not restore:
        manifest = _newest(folder, found, catalog)
    elif found is None or (copy is not None and not found.is_of(copy)):
        manifest = copy or new
    if manifest is None:
        raise catalog.damaged("the manifest is lost, and the catalog has no copy of it")
    if manifest is not found:
        manifest.write(folder)
    if copy is None:
        catalog.set_manifest_copy(manifest)
    return manifest


def _read_manifest(folder: Path, restore: bool) -> Manifest | None:
    """Return the manifest in ``folder``; None when it is lost or damaged, and is to be remade."""
    try:
        return Manifest.read(folder)
    except NewerFormatError:
        raise
    except (GalleryDamagedError, GalleryNotFoundError):
        if restore and (folder / registry.CATALOG_NAME).is_file():
            return None
        raise


def _newest(folder: Path, manifest: Manifest, catalog: Catalog) -> Manifest:
    """Return ``manifest``, or what should have replaced it when other weights or another folder took over.

    Raises:
        GalleryDamagedError: it is of another gallery.
    """
    copy, former = catalog.manifest_copy(), catalog.state.former_manifest()
    if copy is None or manifest.is_of(copy):
        return manifest
    if former is not None and manifest.is_of(former):
        return copy
    raise GalleryDamagedError(
        f"{folder / FILE_NAME} is of another gallery, with {_facts(manifest)}, where the catalog has"
        f" {_facts(copy)}; remake it with: stsearch rebuild --index {folder}"
    )


def _facts(manifest: Manifest) -> str:
    model = manifest.model
    return f"the weights {model.name} (sha256 {model.sha256[:12]}) and the photographs of {manifest.photos}"
