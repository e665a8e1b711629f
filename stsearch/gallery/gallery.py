"""A gallery in a folder, of the photographs in one: ties catalog, vector store and manifest together."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stsearch.gallery import last_run, registry, takeover, vector_file
from stsearch.gallery.atomic_files import Lock, make_private_folder
from stsearch.gallery.catalog import Catalog
from stsearch.gallery.chosen_photos import ChosenPhotos
from stsearch.gallery.detail_cache import DetailCache
from stsearch.gallery.lookups import CatalogLookups
from stsearch.gallery.manifest import FILE_NAME, Manifest, StoreRecord
from stsearch.gallery.opening import open_to_read, open_to_write
from stsearch.gallery.paths import files_below
from stsearch.gallery.protocol import EXACT_LIMIT, GalleryStatus, Notify, unheard
from stsearch.gallery.records import Detail, InstanceTable, Record
from stsearch.gallery.request import CandidateRequest, PhotoChoice
from stsearch.gallery.status import status_of
from stsearch.gallery.vector_store import HnswStore, MissingHnswlibError
from stsearch.objects.url import Location, resolved
from stsearch.types import ModelInfo

__all__ = ["EXACT_LIMIT", "QUICK_LIMIT", "Gallery", "Notify"]

QUICK_LIMIT = 2_000
"""Forgetting makes the graph of so many words anew, in less than a second; in a larger one, which would take
up to a minute, it overwrites the vectors."""


class Gallery(CatalogLookups):
    """An open gallery; ``Gallery.open`` reads one, ``Gallery.create`` makes one or goes on writing to it.

    It is a ``protocol.WritableGallery``.

    Attributes:
        folder: where its files lie.
    """

    def __init__(self, folder: Path, manifest: Manifest, catalog: Catalog, notify: Notify = unheard) -> None:
        super().__init__(catalog)
        self.folder = folder
        self._manifest = manifest
        self._notify = notify
        self._lock: Lock | None = None
        self._all_instances: InstanceTable | None = None
        self._details = DetailCache(catalog)
        self._store: vector_file.OpenStore | None = None
        self._version_read: object = None  # version of the catalog when instances were read last
        self._chosen = ChosenPhotos(catalog)

    @classmethod
    def open(cls, path: Path | str, notify: Notify = unheard) -> Self:
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
        manifest, catalog = open_to_read(folder)
        return cls(folder, manifest, catalog, notify)

    @classmethod
    def create(
        cls,
        folder: Path | str,
        photos: Location | str,
        model: ModelInfo,
        notify: Notify = unheard,
        reread: bool = False,
        moved: bool = False,
    ) -> Self:
        """Open the gallery in ``folder`` for writing; make it when there is none.

        Args:
            folder: where the files of the gallery lie or shall lie.
            photos: the folder of the photographs, or their URL.
            model: the weights that will read them.
            notify: takes a sentence when something is slower, or missing, that need not be.
            reread: let every photograph wait for being read again, by ``model`` whatever read it before.
            moved: the photographs that it holds lie in ``photos`` now.

        Raises:
            GalleryLockedError: another process is writing to it.
            UsageError: it holds the photographs of another folder.
            WeightsError: it was made with other weights.
            GalleryDamagedError: it is damaged, or of a newer format.
            WriteError: the folder cannot be written to.
        """
        folder, photos = Path(folder).resolve(), resolved(photos)
        make_private_folder(folder)
        kept = replace(model, likelihood_weight=0.0, calibration=())  # a search takes them from the weights
        new = Manifest(".." if folder.parent == photos else str(photos), kept)
        gallery = cls._open_locked(folder, None if (folder / FILE_NAME).exists() else new, notify)
        try:
            if reread:
                gallery._change(takeover.begin_reread(gallery.catalog, gallery.manifest, kept))
            gallery.check_model(model)
            if moved and photos != gallery.photos:
                gallery._change(takeover.move(gallery.catalog, gallery.manifest, new.photos))
            takeover.check_photos(folder, gallery.manifest, photos)
        except BaseException:
            gallery.close()
            raise
        return gallery

    @classmethod
    def edit(cls, folder: Path, notify: Notify = unheard, restore: bool = False) -> Self:
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
        manifest, catalog, lock = open_to_write(folder, new, restore)
        gallery = cls(folder, manifest, catalog, notify)
        gallery._lock = lock
        return gallery

    def close(self) -> None:
        """Close the files, and let the next writer in."""
        super().close()
        if self._lock:
            self._lock.release()
            self._lock = None

    @property
    def name(self) -> str:
        """What ``--index`` calls it."""
        return os.fspath(self.folder)

    @property
    def photos(self) -> Location:
        """The folder of the photographs, or their URL."""
        return self._manifest.location(self.folder)

    @property
    def roots(self) -> tuple[Location, ...]:
        """The folder of the photographs."""
        return (self.photos,)

    def index_command(self) -> str:
        """Return the command that brings it up to date."""
        return takeover.index_command(self.folder, self.photos)

    def note_run(self) -> None:
        """Note that a run has just brought the gallery up to date, whether or not it had to."""
        last_run.note(self.folder)

    def status(self) -> GalleryStatus:
        """Return its size, and how it was made."""
        return status_of(self.folder, self._manifest, self.catalog)

    def note_engine(self, engine: str) -> None:
        """Keep in the manifest, when it is written next, what finds the words that are added."""
        self._manifest = replace(self._manifest, engine=engine)

    @property
    def manifest(self) -> Manifest:
        """Which weights filled the gallery, and where its files are."""
        return self._manifest

    def remark(self) -> str | None:
        """Return in one sentence that the vector file is missing or not used, None where it is as usual."""
        return vector_file.remark(self._manifest, self.catalog.words())

    @property
    def model(self) -> ModelInfo:
        """The weights that filled the gallery."""
        return self._manifest.model

    def check_model(self, model: ModelInfo) -> None:
        """Raise a ``WeightsError`` unless ``model`` filled the gallery: other embeddings do not compare."""
        takeover.check_model(self.folder, self._manifest, model)

    def add(self, batch: Iterable[Record]) -> None:
        """Add records of files, in one transaction."""
        self.catalog.add(batch)
        self._all_instances = None
        self._chosen.clear()

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files by their relative paths, and all contents without a file."""
        self.catalog.remove(paths)
        self._all_instances = None
        self._chosen.clear()
        self._details.clear()

    def forget(self, paths: Iterable[Location]) -> int:
        """Remove files and folders, leave no trace of them in the files of the gallery, and return how many.

        What is interrupted is completed by the same call, or by the next ``finish``.

        Raises:
            UsageError: one of ``paths`` is not in the gallery; then nothing is forgotten.
        """
        known = self.catalog.paths()
        chosen = {name for path in paths for name in self._files_below(path, known)}
        saved: HnswStore | None = None
        if self.catalog.words() > QUICK_LIMIT:
            with suppress(MissingHnswlibError):
                saved = self._load_store()
        self._drop_store()  # first: a kill in between must not leave their vectors
        self.catalog.remove(chosen, forget=True)
        self._all_instances = None
        self._chosen.clear()
        self._details.clear()
        self._finish(lambda: saved)
        return len(chosen)

    def finish(self, anew: bool = False) -> None:
        """Bring the vector file up to date with the catalog; that begins a new generation.

        Readers find instances that are not in the file yet in the catalog. Where nothing changed and the file
        is undamaged, it stays as it is.

        Args:
            anew: make the file, and the indexes of the catalog, from the tables of the catalog alone.
        """
        if anew:
            self.catalog.reindex()
            self._finish(lambda: None, anew=True)
        else:
            self._finish(self._load_store)

    def _finish(self, load: Callable[[], HnswStore | None], anew: bool = False) -> None:
        if is_forgetting := self.catalog.state.is_forgetting:
            self.catalog.wipe()
        ids = self.catalog.instance_ids()
        if self.catalog.rereads.contents("weights"):
            ids = ids[:0]  # vectors of two weights do not compare: no file before all are of one
        if anew or not self._is_saved(ids):
            store = self._save_store(ids, load)
            self._set_store(store)
            self.catalog.state.set_vector_tags([store.tag] if store else [])
        vector_file.remove_others(self.folder, self._manifest.store)
        if is_forgetting:
            self.catalog.state.end_forgetting()

    def _set_store(self, store: StoreRecord | None) -> None:
        generation = self._manifest.generation + 1
        self._manifest = replace(self._manifest, generation=generation, store=store)
        self._manifest.write(self.folder)

    def _drop_store(self) -> None:
        self._set_store(None)
        vector_file.remove_others(self.folder, None)

    def _change(self, manifest: Manifest) -> None:
        """Replace the manifest by one that the catalog has the copy of, with the same vector file or none."""
        if manifest == self._manifest:
            return
        self._manifest = manifest
        if manifest.store is None:
            self._drop_store()
        else:
            manifest.write(self.folder)

    def instances(self) -> InstanceTable:
        """Return all text instances; read once and kept."""
        if self._all_instances is None:
            self._version_read = self.catalog.version()
            self._all_instances = self.catalog.instances(self.model.dim)
        return self._all_instances

    def candidates(self, request: CandidateRequest) -> InstanceTable:
        """Return the instances to score for a query; all of them in a gallery of up to ``EXACT_LIMIT``.

        Of some photographs all are compared, and so they are where any transcript may match.
        """
        if request.photos is not None:
            return self.instances().within(
                photo.content for photo in self._chosen.of(request.photos, self.photos)
            )
        if not request.words_only or request.is_exhaustive:
            return self.instances()
        if self._all_instances is not None or self.catalog.words() <= EXACT_LIMIT:
            return self.instances()
        if self.catalog.rereads.contents("weights"):  # similar only in their transcripts
            return self.instances()
        self._version_read = self.catalog.version()
        if self._store is None:
            self._store = vector_file.open_store(self.folder, self._manifest, self.catalog, self._notify)
            self._expect(self._store.missing == 0, "instances are missing")
        queries = np.stack(list(request.embeddings.values()))
        near = [each.ids for each in self._store.vectors.search(queries, request.count)]
        newer = self.catalog.instance_ids(after=self._store.last_id)
        ids = sorted({*newer, *self.catalog.ids_reading(request.words), *request.more}.union(*near))
        table = self.catalog.instances(self.model.dim, ids)
        # Only so many of those the store knows can be gone; more are lost in a damaged page.
        gone = self._store.count + len(newer) - self.catalog.words()
        self._expect(len(ids) - len(table.ids) <= gone, "instances are missing")
        return table

    def photos_of(
        self, contents: Iterable[int], choice: PhotoChoice | None = None
    ) -> dict[int, list[Location]]:
        """Return the paths of the photographs with each of ``contents``; identical files share one.

        With ``choice``, a content without any photograph that it admits has no entry.
        """
        root, wanted = self.photos, set(contents)
        if choice is not None:
            chosen: dict[int, list[Location]] = {}
            for photo in self._chosen.of(choice, root):
                if photo.content in wanted:
                    chosen.setdefault(photo.content, []).append(root / photo.file.path)
            return chosen
        found = self.catalog.paths_of(wanted)
        self._expect(found.keys() == wanted, "contents are missing")
        return {key: [root / path for path in paths] for key, paths in found.items()}

    def all_photos(self, choice: PhotoChoice | None = None) -> list[tuple[Location, int]]:
        """Return every photograph that was read, if ``choice`` admits it, with its content; by path."""
        root = self.photos
        photos = self.catalog.dated_photos() if choice is None else self._chosen.of(choice, root)
        return [(root / photo.file.path, photo.content) for photo in photos]

    def details_of(self, ids: Iterable[int]) -> dict[int, Detail]:
        """Return the details of each of the instances ``ids``; polygons in original pixels."""
        wanted = set(ids)
        found = self._details.of(wanted)
        self._expect(found.keys() == wanted, "instances are missing")
        return found

    def paths_below(self, path: Location) -> list[Location]:
        """Return the files, readable or not, that ``path`` is, or that lie in it; UsageError if none do."""
        root = self.photos
        return [root / name for name in self._files_below(path, self.catalog.paths())]

    def _files_below(self, path: Location, known: Iterable[str]) -> list[str]:
        # they may be gone already, forgotten by the call that this one completes
        return files_below(path, self.photos, known, may_be_gone=self.catalog.state.is_forgetting)

    def _expect(self, is_so: bool, otherwise: str) -> None:
        """Raise the error of a damaged catalog unless ``is_so``, or another process has written meanwhile."""
        if not is_so and self.catalog.version() == self._version_read:
            raise self.catalog.damaged(otherwise)

    def _is_saved(self, ids: NDArray[np.int64]) -> bool:
        """Return whether the vector file holds the instances ``ids``, and nothing is wrong with it."""
        if not vector_file.is_complete(self._manifest.store, ids):
            return False
        return (
            self._manifest.store is None
            or vector_file.fault(self.folder, self._manifest, self.catalog) is None
        )

    def _save_store(self, ids: NDArray[np.int64], load: Callable[[], HnswStore | None]) -> StoreRecord | None:
        if len(ids) == 0:
            return None
        try:
            return vector_file.write(self.folder, self._manifest, self.catalog, ids, load())
        except MissingHnswlibError as error:
            self._notify(f"no vector file is written, and searching {EXACT_LIMIT:,} words is slow: {error}")
            return None

    def _load_store(self) -> HnswStore | None:
        """Return the saved store to add to, None where there is none, or where it has to be made anew.

        Raises:
            MissingHnswlibError: hnswlib is not installed.
        """
        record = self._manifest.store
        if record is None:
            return None
        try:
            return vector_file.load(self.folder, self._manifest, self.catalog)
        except ValueError as error:
            self._notify(f"{self.folder / record.file} cannot be used ({error}); it is made anew")
            return None
