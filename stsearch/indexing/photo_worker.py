"""From files that were read to what the gallery keeps of them: decodes them, and finds their words."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from stsearch.errors import ImageError
from stsearch.gallery.catalog import Failed, Record, Spotted
from stsearch.images import Resize
from stsearch.indexing import one_by_one
from stsearch.indexing.documents import spot_pages, to_original
from stsearch.indexing.reader import PhotoReader
from stsearch.indexing.stages import DecodedPhoto, Document, ReadFile, failed_record
from stsearch.types import PHOTO_BATCH, PhotoSpotter
from stsearch.worker_pool import OrderedPool, Step

GPU_BATCH = 32
"""Photographs that a GPU spots at once."""

_LOOK_AHEAD = 2  # batches decoded before one is chosen, so that its photographs are of similar size


@dataclass(frozen=True, slots=True)
class Batching:
    """How many photographs are worked on together.

    Attributes:
        photos: of a batch, and of a transaction of the gallery.
        files: that are best handed over together, to make batches of.
    """

    photos: int
    files: int

    @classmethod
    def of(cls, photos: int, in_batches: bool) -> Batching:
        """Return it for batches of so many ``photos``, 0: the usual number, if there is a gain in batches."""
        photos = photos or (GPU_BATCH if in_batches else PHOTO_BATCH)
        return cls(photos, _LOOK_AHEAD * photos if in_batches else 1)


class PhotoWorker:
    """Decodes and spots files, with a spotter of its own.

    Args:
        reader: of the folder that the files lie in, for several threads.
        spotter: finds the words.
        batch: photographs that it spots at once, if it is faster with batches; 0: ``GPU_BATCH``.
        threads: that decode for it then.
        recognizes: whether the spotter reads words with its recognizer, if it has one.
    """

    def __init__(
        self, reader: PhotoReader, spotter: PhotoSpotter, batch: int, threads: int, recognizes: bool
    ) -> None:
        self._reader = reader
        self._spotter = spotter
        self._threads = threads
        self._recognizes = recognizes
        self._resize = Resize(spotter.info.longer_side)
        self._one_batch = threading.Lock()
        self.wants_batches = not spotter.threads
        self.batching = Batching.of(batch, self.wants_batches)

    def spot(self, files: Sequence[ReadFile]) -> list[Record]:
        """Return the record of each of ``files``, in order.

        Raises:
            StsearchError: nothing can be spotted, for example because the device was lost.
        """
        if self.wants_batches:
            return self._spot_in_batches(files)
        return [self._spot_decoded(self._decode(file)) for file in files]

    def _spot_in_batches(self, files: Sequence[ReadFile]) -> list[Record]:
        """Decode all, then spot the largest first, in batches: those of one are padded to one size."""
        records: dict[str, Record] = {}
        waiting: list[DecodedPhoto] = []
        with OrderedPool[ReadFile, DecodedPhoto | Document | Failed](
            Step(self._threads, self._decode), ahead=len(files)
        ) as decoders:
            for decoded in decoders.results(files):
                if isinstance(decoded, DecodedPhoto):
                    waiting.append(decoded)
                else:
                    with self._one_batch:
                        records[decoded.file.path] = self._spot_decoded(decoded)
        waiting.sort(key=self._padded_size)
        while waiting:
            batch = waiting[-self.batching.photos :]
            del waiting[-self.batching.photos :]
            with self._one_batch:  # other threads decode meanwhile
                records.update((record.file.path, record) for record in self._spot_photos(batch))
        return [records[file.file.path] for file in files]

    def _decode(self, read: ReadFile) -> DecodedPhoto | Document | Failed:
        try:
            photo = self._reader.open(read.file, read.content)
            if len(photo.pages) > 1:
                return Document(read.file, photo)
            return DecodedPhoto(
                read.file, read.content.sha256, self._reader.decode(photo, self._spotter.decode_side)
            )
        except ImageError as error:
            return failed_record(read.file, error)

    def _spot_decoded(self, photo: DecodedPhoto | Document | Failed) -> Record:
        if isinstance(photo, Failed):
            return photo
        if isinstance(photo, Document):
            [record] = one_by_one.spot(lambda some: [self._spot_pages(each) for each in some], [photo])
            return record
        [record] = self._spot_photos([photo])
        return record

    def _spot_photos(self, photos: Sequence[DecodedPhoto]) -> Sequence[Record]:
        return one_by_one.spot(self._spot_together, photos)

    def _spot_together(self, photos: Sequence[DecodedPhoto]) -> list[Spotted]:
        found = self._spotter.spot([photo.decoded.image for photo in photos])
        return [
            Spotted(
                photo.file,
                photo.sha256,
                photo.decoded.height,
                photo.decoded.width,
                to_original(photo.decoded, instances),
                photo.decoded.taken,
                photo.decoded.note,
                is_rough=not self._recognizes,
            )
            for photo, instances in zip(photos, found, strict=True)
        ]

    def _spot_pages(self, document: Document) -> Spotted | Failed:
        batch = self.batching.photos if self.wants_batches else 1
        try:
            pages = spot_pages(document.photo, self._reader, self._spotter, batch)
        except ImageError as error:
            return failed_record(document.file, error)
        return Spotted(
            document.file,
            document.photo.content.sha256,
            pages.height,
            pages.width,
            pages.instances,
            pages.taken,
            pages.note,
            is_rough=not self._recognizes,
        )

    def _padded_size(self, photo: DecodedPhoto) -> tuple[int, int]:
        plan = self._resize.plan(*photo.decoded.image.shape[:2])
        return plan.padded_height, plan.padded_width
