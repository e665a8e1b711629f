"""Finding damage: in every file of a gallery, and on request in the photographs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import numpy as np

from stsearch.checksums import file_sha256
from stsearch.errors import GalleryDamagedError, GalleryNotFoundError, GalleryUnreadableError, WriteError
from stsearch.gallery import manifest as manifest_module
from stsearch.gallery import registry, vector_file
from stsearch.gallery.atomic_files import Lock
from stsearch.gallery.catalog import Catalog
from stsearch.gallery.manifest import Manifest
from stsearch.gallery.protocol import Finding, Notify
from stsearch.gallery.records import Linked, PhotoFile
from stsearch.gallery.vector_store import FlatStore, HnswStore, is_hnswlib_installed

SAMPLE = 100
"""Stored vectors that are looked for in the graph and by comparing them with all."""

NEIGHBOURS = 10

MIN_SHARED = 0.9
"""Of the neighbours; an undamaged graph shares 0.98 and more."""


def verify(folder: Path, deep: bool = False, notify: Notify = lambda _: None) -> Iterator[Finding]:
    """Yield the damage of the gallery in ``folder``.

    Args:
        folder: where its files lie.
        deep: also search the store against the exact one, and compare the photographs that seem unchanged
            with their checksums.
        notify: takes a sentence that says when the vector file is missing or cannot be searched.

    Raises:
        GalleryLockedError: another process is writing to it.
    """
    lock = None
    with suppress(WriteError):  # on a read-only disk no other process writes either
        lock = Lock(folder / "lock")
    try:
        manifest = None
        try:
            manifest = Manifest.read(folder)
        except (GalleryDamagedError, GalleryNotFoundError, GalleryUnreadableError) as error:
            yield Finding(folder / manifest_module.FILE_NAME, str(error))
        place = folder / registry.CATALOG_NAME
        try:
            with closing(Catalog(place, reads_only=True)) as catalog:
                yield from _catalog_findings(catalog, manifest, place)
                if manifest is not None:
                    yield from _store_findings(catalog, manifest, folder, deep, notify)
                    photos = manifest.location(folder)
                    if deep and isinstance(photos, Path):
                        yield from _photo_findings(catalog, photos)
                    elif deep:
                        notify(f"the photographs of {photos} were not read again: a checksum is of all bytes")
        except (GalleryDamagedError, GalleryUnreadableError) as error:
            yield Finding(place, str(error))
    finally:
        if lock:
            lock.release()


def _catalog_findings(catalog: Catalog, manifest: Manifest | None, place: Path) -> Iterator[Finding]:
    copy = catalog.manifest_copy()
    if copy and manifest and not manifest.is_of(copy):
        yield Finding(place, "it belongs to another manifest: other weights, or other photographs")
    if catalog.state.is_forgetting:
        yield Finding(place, "forgetting was interrupted; complete it with: stsearch rebuild")
    known = copy or manifest
    for fault in catalog.faults(known.model.dim if known else None):
        yield Finding(place, fault)


def _store_findings(
    catalog: Catalog, manifest: Manifest, folder: Path, deep: bool, notify: Notify
) -> Iterator[Finding]:
    record = manifest.store
    if remark := vector_file.remark(manifest, catalog.words()):
        notify(remark)
    if record is None:
        return
    path, wrong = folder / record.file, vector_file.fault(folder, manifest, catalog)
    if wrong is None and deep and is_hnswlib_installed():
        try:
            store = vector_file.load(folder, manifest, catalog)
            wrong = _search_fault(catalog, store, record.dim, record.last_id)
        except ValueError as error:
            wrong = str(error)
    if wrong is not None:
        yield Finding(path, wrong)


def _search_fault(catalog: Catalog, store: HnswStore, dim: int, last_id: int) -> str | None:
    """Return how ``store`` differs from comparing every vector, None when it hardly does."""
    table = catalog.instances(dim)
    seen = table.ids <= last_id
    if missing := len(np.setdiff1d(table.ids[seen], store.ids())):
        return f"{missing} instances are not in it"
    exact = FlatStore(dim)
    exact.add(table.ids[seen], table.embeddings[seen])
    alive = exact.ids()
    queries = table.embeddings[seen][np.linspace(0, len(alive) - 1, min(SAMPLE, len(alive)), dtype=int)]
    shared = []
    for wanted, got in zip(exact.search(queries, NEIGHBOURS), store.search(queries, NEIGHBOURS), strict=True):
        min_similarity = wanted.similarities[-1] - 1e-3  # of equal ones, and there are many, any will do
        shared.append(np.sum(got.similarities[np.isin(got.ids, alive)] >= min_similarity) / len(wanted.ids))
    if np.mean(shared) < MIN_SHARED:
        return f"it finds {np.mean(shared):.0%} of the nearest neighbours"
    return None


def _photo_findings(catalog: Catalog, photos: Path) -> Iterator[Finding]:
    """Yield the photographs whose bytes changed though size and time did not."""
    for name, _ in catalog.photos():
        known = catalog.record_at(name)
        path = photos / name
        with suppress(FileNotFoundError, NotADirectoryError):  # gone is not damaged: index again
            try:
                is_same = isinstance(known, Linked) and known.file == PhotoFile.from_stat(name, path.stat())
                if is_same and isinstance(known, Linked) and file_sha256(path) != known.sha256:
                    yield Finding(path, "its content changed, and its size and time did not")
            except PermissionError as error:
                yield Finding(path, error.strerror or str(error))
