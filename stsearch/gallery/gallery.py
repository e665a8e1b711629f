"""A gallery: the words of the photographs in one folder. Ties catalog, vector store and manifest together."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stsearch.errors import (
    GalleryDamagedError,
    GalleryNotFoundError,
    NewerFormatError,
    UsageError,
    WeightsError,
)
from stsearch.gallery import registry, vector_file
from stsearch.gallery.atomic_files import Lock, make_private_folder
from stsearch.gallery.catalog import Catalog
from stsearch.gallery.detail_cache import DetailCache
from stsearch.gallery.manifest import FILE_NAME, Manifest, StoreRecord
from stsearch.gallery.records import DatedPhoto, Detail, InstanceTable, Reading, Record
from stsearch.gallery.vector_store import (
    FlatStore,
    HnswStore,
    MissingHnswlibError,
    VectorStore,
)
from stsearch.types import ModelInfo

EXACT_LIMIT = 50_000
"""Up to so many words every one is compared with the query, which takes 0.1 s on one core; the vector file,
written from the first word on, is searched beyond."""

Notify = Callable[[str], None]


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


def _ignore(_message: str) -> None:
    """Ignore a message."""


@dataclass(frozen=True, slots=True, eq=False)
class _OpenStore:
    """A vector store to search, its highest instance id, and the number of its instances."""

    vectors: VectorStore
    last_id: int
    count: int


class Gallery:
    """An open gallery; ``Gallery.open`` reads one, ``Gallery.create`` makes one or goes on writing to it.

    Attributes:
        folder: where its files lie.
        catalog: everything that the gallery holds.
    """

    def __init__(self, folder: Path, manifest: Manifest, catalog: Catalog, notify: Notify = _ignore) -> None:
        self.folder = folder
        self.catalog = catalog
        self._manifest = manifest
        self._notify = notify
        self._lock: Lock | None = None
        self._all_instances: InstanceTable | None = None
        self._details = DetailCache(catalog)
        self._store: _OpenStore | None = None
        self._version_read = -1  # version of the catalog when instances were read last

    @classmethod
    def open(cls, path: Path | str, notify: Notify = _ignore) -> Self:
        """Open a gallery for reading.

        Args:
            path: the gallery folder, or the folder of photographs it lies in.
            notify: takes a sentence when something is slower, or missing, that need not be.

        Raises:
            GalleryNotFoundError: there is none.
            GalleryDamagedError: it is damaged, or of a newer format.
        """
        given = Path(path).resolve()
        inside = given / registry.FOLDER_NAME
        folder = inside if registry.is_gallery(inside) else given
        manifest = Manifest.read(folder)  # first: an old catalog would be migrated beside a newer manifest
        return cls(folder, manifest, Catalog(folder / registry.CATALOG_NAME), notify)

    @classmethod
    def create(
        cls, folder: Path | str, photos: Path | str, model: ModelInfo, notify: Notify = _ignore
    ) -> Self:
        """Open the gallery in ``folder`` for writing; make it when there is none.

        Args:
            folder: where the files of the gallery lie or shall lie.
            photos: the folder of the photographs.
            model: the weights that will read them.
            notify: takes a sentence when something is slower, or missing, that need not be.

        Raises:
            GalleryLockedError: another process is writing to it.
            UsageError: it holds the photographs of another folder.
            WeightsError: it was made with other weights.
            GalleryDamagedError: it is damaged, or of a newer format.
            WriteError: the folder cannot be written to.
        """
        folder, photos = Path(folder).resolve(), Path(photos).resolve()
        make_private_folder(folder)
        kept = replace(model, likelihood_weight=0.0, calibration=())  # a search takes them from the weights
        new = Manifest(".." if folder.parent == photos else os.fspath(photos), kept)
        gallery = cls._open_locked(folder, None if (folder / FILE_NAME).exists() else new, notify)
        try:
            gallery.check_model(model)
            gallery._check_photos(photos)
        except BaseException:
            gallery.close()
            raise
        return gallery

    @classmethod
    def edit(cls, folder: Path, notify: Notify = _ignore, restore: bool = False) -> Self:
        """Open the gallery in ``folder`` for writing to it without weights.

        Args:
            folder: where its files lie.
            notify: takes a sentence when something is slower, or missing, that need not be.
            restore: remake a lost or damaged manifest from the catalog.

        Raises:
            GalleryNotFoundError: there is none.
            GalleryLockedError: another process is writing to it.
            GalleryDamagedError: it is damaged, or of a newer format.
        """
        return cls._open_locked(folder, None, notify, restore)

    @classmethod
    def _open_locked(cls, folder: Path, new: Manifest | None, notify: Notify, restore: bool = False) -> Self:
        """Open the gallery in ``folder``; a lost manifest is made from the catalog, or is ``new``."""
        lock = Lock(folder / "lock")
        try:
            manifest = None if new else _read_manifest(folder, restore)
            catalog = Catalog(folder / registry.CATALOG_NAME, create=new is not None)
            try:
                if manifest is None:
                    copy = catalog.manifest_copy()
                    manifest = Manifest.from_copy(copy) if copy else new
                    if manifest is None:
                        raise catalog.damaged("the manifest is lost, and the catalog has no copy of it")
                    manifest.write(folder)
                catalog.set_manifest_copy(manifest.copy_for_catalog())
            except BaseException:
                catalog.close()
                raise
        except BaseException:
            lock.release()
            raise
        gallery = cls(folder, manifest, catalog, notify)
        gallery._lock = lock
        return gallery

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the files, and let the next writer in."""
        self.catalog.close()
        if self._lock:
            self._lock.release()
            self._lock = None

    @property
    def photos(self) -> Path:
        """The folder of the photographs."""
        return (self.folder / self._manifest.photos).resolve()

    def note_engine(self, engine: str) -> None:
        """Keep in the manifest, when it is written next, what finds the words that are added."""
        self._manifest = replace(self._manifest, engine=engine)

    @property
    def manifest(self) -> Manifest:
        """Which weights filled the gallery, and where its files are."""
        return self._manifest

    def vector_file_remark(self) -> str | None:
        """Return in one sentence that the vector file is missing or not used, None where it is as usual."""
        return vector_file.remark(self._manifest, self.catalog.words())

    @property
    def model(self) -> ModelInfo:
        """The weights that filled the gallery."""
        return self._manifest.model

    def check_model(self, model: ModelInfo) -> None:
        """Refuse weights other than those that filled the gallery, because their embeddings do not compare.

        Raises:
            WeightsError: they are others; the message names the two ways out.
        """
        if model.sha256 != self.model.sha256:
            made, given = (f"{each.name} (sha256 {each.sha256[:12]})" for each in (self.model, model))
            raise WeightsError(
                f"{self.folder} was made with the weights {made}, these are {given}:"
                " give those with --model, or index again into another gallery with --index"
            )

    def add(self, batch: Iterable[Record]) -> None:
        """Add records of files, in one transaction."""
        self.catalog.add(batch)
        self._all_instances = None

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files by their relative paths, and all contents without a file."""
        self.catalog.remove(paths)
        self._all_instances = None
        self._details.clear()

    def forget(self, paths: Iterable[Path]) -> int:
        """Remove files and folders, leave no trace of them in the files of the gallery, and return how many.

        Raises:
            UsageError: one of ``paths`` is not in the gallery; then nothing is forgotten.
        """
        known = self.catalog.paths()
        chosen = {name for path in paths for name in self._files_below(path, known)}
        self._set_store(None)  # first: a kill in between must not leave their vectors
        vector_file.remove_others(self.folder, None)
        self.remove(chosen)
        self.catalog.wipe()
        self.finish(anew=True)
        return len(chosen)

    def finish(self, anew: bool = False) -> None:
        """Bring the vector file up to date with the catalog; that begins a new generation.

        Readers find instances that are not in the file yet in the catalog. Where nothing changed and the file
        is undamaged, it stays as it is.

        Args:
            anew: make the file from the catalog alone, not from the saved one, in any case.
        """
        ids = self.catalog.instance_ids()
        if anew or not self._is_saved(ids):
            self._set_store(self._save_store(ids, anew))
        vector_file.remove_others(self.folder, self._manifest.store)

    def _set_store(self, store: StoreRecord | None) -> None:
        generation = self._manifest.generation + 1
        self._manifest = replace(self._manifest, generation=generation, store=store)
        self._manifest.write(self.folder)

    def instances(self) -> InstanceTable:
        """Return all text instances; read once and kept."""
        if self._all_instances is None:
            self._version_read = self.catalog.version()
            self._all_instances = self.catalog.instances(self.model.dim)
        return self._all_instances

    def candidates(self, queries: NDArray[np.float32], words: Iterable[str], k: int) -> InstanceTable:
        """Return the instances to score for a query; all of them in a gallery of up to ``EXACT_LIMIT``.

        Args:
            queries: (Q, D) float32, unit rows.
            words: folded; instances with exactly such a transcript are always among the candidates.
            k: how many of the most similar instances to take for each query.
        """
        if self._all_instances is not None or self.catalog.words() <= EXACT_LIMIT:
            return self.instances()
        self._version_read = self.catalog.version()
        if self._store is None:
            self._store = self._open_store()
        found = [neighbours.ids for neighbours in self._store.vectors.search(queries, k)]
        newer = self.catalog.instance_ids(after=self._store.last_id)
        ids = np.unique(np.concatenate([*found, newer, self.catalog.ids_reading(words)]))
        table = self.catalog.instances(self.model.dim, ids.tolist())
        # Only so many of those the store knows can be gone; more are lost in a damaged page.
        gone = self._store.count + len(newer) - self.catalog.words()
        self._expect(len(ids) - len(table.ids) <= gone, "instances are missing")
        return table

    def photos_of(self, contents: Iterable[int]) -> dict[int, list[Path]]:
        """Return the paths of the photographs with each of ``contents``; identical files share one."""
        root, wanted = self.photos, set(contents)
        found = self.catalog.paths_of(wanted)
        self._expect(found.keys() == wanted, "contents are missing")
        return {key: [root / path for path in paths] for key, paths in found.items()}

    def all_photos(self, admits: Callable[[DatedPhoto], bool] = lambda _: True) -> list[tuple[Path, int]]:
        """Return every photograph that was read, if ``admits`` says so, with its content."""
        root = self.photos
        photos = filter(admits, self.catalog.dated_photos())
        return [(root / photo.file.path, photo.content) for photo in photos]

    def details_of(self, ids: Iterable[int]) -> dict[int, Detail]:
        """Return the details of each of the instances ``ids``; polygons in original pixels."""
        wanted = set(ids)
        found = self._details.of(wanted)
        self._expect(found.keys() == wanted, "instances are missing")
        return found

    def readings_of(self, contents: Iterable[int]) -> dict[int, list[Reading]]:
        """Return the readings of all instances in each of ``contents``, most confident first."""
        return self.catalog.readings_of(contents)

    def _expect(self, is_so: bool, otherwise: str) -> None:
        """Raise the error of a damaged catalog unless ``is_so``, or another process has written meanwhile."""
        if not is_so and self.catalog.version() == self._version_read:
            raise self.catalog.damaged(otherwise)

    def _files_below(self, path: Path, known: Iterable[str]) -> list[str]:
        """Return the files among ``known`` that ``path`` names: itself, or all in a folder."""
        place, root = path.resolve(), self.photos
        if place.is_relative_to(root):
            name = os.fspath(place.relative_to(root))
            chosen = [each for each in known if name in (".", each) or each.startswith(f"{name}/")]
            if chosen:
                return chosen
        raise UsageError(f"{path} is not in the gallery {self.folder}")

    def _check_photos(self, photos: Path) -> None:
        if photos != self.photos:
            raise UsageError(
                f"{self.folder} holds the photographs of {self.photos}, not of {photos}:"
                " name another gallery with --index, or delete this one"
            )

    def _is_saved(self, ids: NDArray[np.int64]) -> bool:
        """Return whether the vector file holds the instances ``ids``, and nothing is wrong with it."""
        if not vector_file.is_complete(self._manifest.store, ids):
            return False
        return self._manifest.store is None or vector_file.fault(self.folder, self._manifest) is None

    def _save_store(self, ids: NDArray[np.int64], anew: bool) -> StoreRecord | None:
        if len(ids) == 0:
            return None
        try:
            saved = None if anew or self._manifest.store is None else self._load_store("it is made anew")
            return vector_file.write(self.folder, self._manifest, self.catalog, ids, saved)
        except MissingHnswlibError as error:
            self._notify(f"no vector file is written, and searching {EXACT_LIMIT:,} words is slow: {error}")
            return None

    def _load_store(self, otherwise: str) -> HnswStore | None:
        """Return the saved store; where it cannot be used, notify of that and return None.

        Args:
            otherwise: the rest of the notice: the consequence.

        Raises:
            MissingHnswlibError: hnswlib is not installed.
        """
        try:
            return vector_file.load(self.folder, self._manifest)
        except ValueError as error:
            record = self._manifest.store
            path = self.folder / record.file if record else self.folder
            self._notify(f"{path} cannot be used ({error}); {otherwise}")
            return None

    def _open_store(self) -> _OpenStore:
        """Return a store to search: the saved one, else all vectors in memory."""
        record, store = self._manifest.store, None
        if record is not None:
            instead = "every word is compared instead, which is slower; "
            try:
                store = self._load_store(f"{instead}remake it with: stsearch rebuild --index {self.folder}")
            except MissingHnswlibError as error:
                self._notify(f"{instead}{error}")
        if store is not None and record is not None:
            return _OpenStore(store, record.last_id, record.count)
        ids = self.catalog.instance_ids()
        flat = vector_file.fill(FlatStore(self.model.dim), self.catalog, ids, self.model.dim)
        self._expect(len(flat.ids()) == len(ids), "instances are missing")
        return _OpenStore(flat, int(ids[-1]) if len(ids) else 0, len(ids))
