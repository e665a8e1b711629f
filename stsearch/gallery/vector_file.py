"""vectors-N.hnsw, the saved vector store of a gallery: written from the catalog, checked before it is loaded.

Nothing is lost with the file: it is made anew from the catalog.
"""

from __future__ import annotations

import secrets
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from stsearch.checksums import file_sha256
from stsearch.gallery.atomic_files import remove_parts, replacing
from stsearch.gallery.catalog import Catalog
from stsearch.gallery.graph_file import erase
from stsearch.gallery.manifest import Manifest, StoreRecord
from stsearch.gallery.vector_store import (
    FlatStore,
    HnswStore,
    MissingHnswlibError,
    VectorStore,
    is_hnswlib_installed,
    missing_hnswlib,
)

_CHUNK = 2_000
"""Instances that are read from the catalog at a time: 10 MB of vectors and as much beside them."""

Store = TypeVar("Store", bound=VectorStore)
Notify = Callable[[str], None]


@dataclass(frozen=True, slots=True, eq=False)
class OpenStore:
    """A vector store to search.

    Attributes:
        vectors: the store.
        last_id: its highest instance id.
        count: how many instances it has.
        missing: how many that it should have were not in the catalog.
    """

    vectors: VectorStore
    last_id: int
    count: int
    missing: int = 0


def fault(folder: Path, manifest: Manifest, catalog: Catalog) -> str | None:
    """Return a sentence that says why the file cannot be used, None when it can; it is not loaded.

    Args:
        folder: of the gallery.
        manifest: of the gallery; it names a file.
        catalog: of the gallery.
    """
    record = manifest.store
    if record is None:
        return "the manifest names no vector file"
    try:
        if misfit := record.misfit(manifest):
            return misfit
        if record.tag not in catalog.state.vector_tags():
            return "it belongs to another state of the catalog: one of them was restored or copied alone"
        status = (folder / record.file).lstat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > _max_size(manifest, catalog):
            return "it is a link, or larger than the words explain"
        if file_sha256(folder / record.file) != record.sha256:
            return "it does not match its checksum"
    except OSError as error:
        return error.strerror or str(error)
    return None


def _max_size(manifest: Manifest, catalog: Catalog) -> int:
    """Return so many bytes as no vector file of the gallery has: one of 200 GB takes an hour to read."""
    return (2 * catalog.words() + 1_000) * (4 * manifest.model.dim + 1_000)


def remark(manifest: Manifest, words: int) -> str | None:
    """Return in one sentence that the file of a gallery is missing or not used, None where it is as usual.

    Args:
        manifest: of the gallery.
        words: how many instances the gallery has; without any it has no file.
    """
    missing = None if is_hnswlib_installed() else str(missing_hnswlib())
    if manifest.store is not None:
        return missing and f"the vector file is not used: {missing}"
    if words == 0:
        return None
    return f"there is no vector file: {missing or 'stsearch index writes it when it is done'}"


def load(folder: Path, manifest: Manifest, catalog: Catalog) -> HnswStore:
    """Return the saved store, once it is known to be undamaged.

    Raises:
        ValueError: it cannot be used; the message says why.
        MissingHnswlibError: hnswlib is not installed.
    """
    if reason := fault(folder, manifest, catalog):
        raise ValueError(reason)
    assert manifest.store is not None  # else there is a fault
    return HnswStore.load(folder / manifest.store.file, manifest.store.dim)


def open_store(folder: Path, manifest: Manifest, catalog: Catalog, notify: Notify) -> OpenStore:
    """Return a store to search: the saved one; where it cannot be used, with a note, all vectors in memory.

    A writer that finished since ``manifest`` was read has replaced the file: then the manifest is read again.
    """
    if record := manifest.store:
        try:
            return OpenStore(load(folder, manifest, catalog), record.last_id, record.count)
        except MissingHnswlibError as error:
            notify(f"every word is compared instead, which is slower; {error}")
        except ValueError as error:
            newest = Manifest.read(folder)
            if newest.generation != manifest.generation and newest.is_of(manifest):
                return open_store(folder, newest, catalog, notify)
            notify(
                f"{folder / record.file} cannot be used ({error}); every word is compared instead, which is"
                f" slower; remake it with: stsearch rebuild --index {folder}"
            )
    ids = catalog.instance_ids()
    flat = fill(FlatStore(manifest.model.dim), catalog, ids, manifest.model.dim)
    return OpenStore(flat, int(ids[-1]) if len(ids) else 0, len(ids), len(ids) - len(flat.ids()))


def is_complete(record: StoreRecord | None, ids: NDArray[np.int64]) -> bool:
    """Return whether the file holds exactly the instances ``ids``, ascending: no id is ever used twice."""
    if record is None or len(ids) == 0:
        return record is None and len(ids) == 0
    return (record.count, record.last_id) == (len(ids), int(ids[-1]))


def write(
    folder: Path, manifest: Manifest, catalog: Catalog, ids: NDArray[np.int64], saved: HnswStore | None
) -> StoreRecord:
    """Write the file of the next generation, and return its record for the next manifest.

    The catalog takes its tag beside the one of the present file; whoever has written the manifest may let the
    catalog forget that.

    Args:
        folder: of the gallery.
        manifest: the present one.
        catalog: has the embeddings.
        ids: of all its instances, ascending; one or more.
        saved: the store to bring up to date; None: make one from the catalog alone.

    Raises:
        MissingHnswlibError: hnswlib is not installed.
        WriteError: the disk is full.
    """
    model, generation = manifest.model, manifest.generation + 1
    store = saved or HnswStore(model.dim)
    removed = np.setdiff1d(store.ids(), ids)
    if len(removed) > len(ids) // 2:  # removed nodes cost time and memory
        store, removed = HnswStore(model.dim), removed[:0]
    store.remove(removed)
    fill(store, catalog, np.setdiff1d(ids, store.ids()), model.dim)
    path, tag = folder / f"vectors-{generation}.hnsw", secrets.token_hex(8)
    catalog.state.set_vector_tags([*catalog.state.vector_tags(), tag])
    with replacing(path) as beside:
        store.save(beside)
        erase(beside, model.dim, removed)
        sha256 = file_sha256(beside)
    last_id = int(ids[-1])
    return StoreRecord(path.name, sha256, model.dim, len(ids), last_id, model.sha256, generation, tag=tag)


def fill(store: Store, catalog: Catalog, ids: NDArray[np.int64], dim: int) -> Store:
    """Add the embeddings of the instances ``ids`` to ``store``, and return it."""
    for start in range(0, len(ids), _CHUNK):
        table = catalog.instances(dim, ids[start : start + _CHUNK].tolist())
        store.add(table.ids, table.embeddings)
    return store


def remove_others(folder: Path, record: StoreRecord | None) -> None:
    """Delete every vector file in ``folder`` but that of ``record``, parts left by a killed run too."""
    remove_parts(folder / "vectors-*.hnsw")
    for file in folder.glob("vectors-*.hnsw"):
        if record is None or file.name != record.file:
            file.unlink()
