"""From a folder of photographs to a gallery: walk, then skip, link or spot each file.

Threads read, decode and spot a bounded number of files ahead of the gallery, which takes them in their order,
a few in a transaction. So memory stays flat, a slow photograph holds up no other, and whatever ends a run
costs no more than the photographs at work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from stsearch.errors import ImageError, WriteError
from stsearch.gallery.catalog import Failed, Linked, PhotoFile, Record, Spotted
from stsearch.gallery.gallery import Gallery
from stsearch.images import Resize
from stsearch.indexing import one_by_one
from stsearch.indexing.changes import Changes, IndexReport
from stsearch.indexing.documents import spot_pages, to_original
from stsearch.indexing.progress import Progress, ProgressCounter
from stsearch.indexing.reader import PhotoReader, ReadLimits
from stsearch.indexing.remote_walk import walk_photos
from stsearch.indexing.removal import remove_missing
from stsearch.indexing.stages import Copy, DecodedPhoto, Document, ReadFile, failed_record
from stsearch.indexing.vanished import Vanished
from stsearch.indexing.walk import NEVER, Walk, WalkRules
from stsearch.types import PHOTO_BATCH, PhotoSpotter
from stsearch.worker_pool import OrderedPool, Step

GPU_BATCH = 32
"""Photographs that a GPU spots at once."""

_LOOK_AHEAD = 4  # batches decoded before one is chosen, so that its photographs are of similar size
_MAX_RECORDS = 256  # of a transaction that no photograph was spotted for
_MAX_AHEAD = 192  # files that may pass a slow one, and that ``kill -9`` makes the next run read again


@dataclass(frozen=True, slots=True)
class IndexOptions:
    """Options of an indexing run.

    Attributes:
        batch: photographs of a transaction, and of a batch if the spotter wants batches; 0: 4 or 32.
        threads: files that are read and decoded at the same time.
        limits: what a file may take.
        rules: which files of the folder are indexed.
        recognize: whether the spotter reads words with its recognizer, if it has one.
        prune: remove what is missing, even if that looks as if a share were not mounted.
    """

    batch: int = 0
    threads: int = 4
    limits: ReadLimits = field(default_factory=ReadLimits)
    rules: WalkRules = field(default_factory=WalkRules)
    recognize: bool = True
    prune: bool = False


def index_photos(
    gallery: Gallery,
    spotter: PhotoSpotter,
    options: IndexOptions = IndexOptions(),
    progress: Callable[[Progress], None] = lambda _: None,
    walk: Walk | None = None,
) -> IndexReport:
    """Bring ``gallery`` up to date with the folder of its photographs.

    A file of known size and time is skipped, one of known content is linked, any other is spotted, and so is
    one that waits in ``Catalog.rereads``. However the call ends, the gallery holds what was finished, and the
    same call goes on from there.

    Args:
        gallery: opened with ``Gallery.create``.
        spotter: finds the words; of the weights the gallery was created with.
        options: batch size, threads and limits.
        progress: is called with every file that is finished.
        walk: what ``walk_photos`` found by the rules of ``options`` just now; None: it is called.

    Raises:
        WriteError: the gallery cannot be written to, for example because the disk is full.
    """
    started = time.monotonic()
    walk = walk_photos(gallery.photos, options.rules) if walk is None else walk
    run = _Run(gallery, spotter, options, ProgressCounter(len(walk.files) + len(walk.failed), progress), walk)
    run.commit(walk.failed)
    run.progress.pass_over(len(walk.failed))
    run.read_all()
    vanished = run.remove_missing()
    gallery.finish()
    return run.report(time.monotonic() - started, vanished)


class _Run:
    """One run over a folder: the stages of a file, and counts of the outcomes."""

    def __init__(
        self,
        gallery: Gallery,
        spotter: PhotoSpotter,
        options: IndexOptions,
        progress: ProgressCounter,
        walk: Walk,
    ) -> None:
        self._gallery = gallery
        self._spotter = spotter
        self._options = options
        self.progress = progress
        self._walk = walk
        self._reader = PhotoReader(gallery.photos, options.limits, options.threads)
        self._resize = Resize(spotter.info.longer_side)
        self._changes = Changes()
        self._known: dict[str, Record | None] = {}  # records of the files in work before this run
        self._photos_before = gallery.catalog.counts().photos
        self._waiting = gallery.catalog.rereads.checksums(options.recognize)  # known, and read again
        self._not_reread: list[Failed] = []
        self._batch = options.batch or PHOTO_BATCH
        self._finished: list[Record] = []  # not in the gallery yet
        self._holds_words = False  # of this run, so that something can be searched
        self._in_work: dict[str, str] = {}  # checksums of new contents, by the path they were read at
        self._outcomes: dict[str, Record] = {}  # of contents that the catalog does not hold, or not yet
        self._waiting_copies: dict[str, list[Copy]] = {}  # by checksum

    def report(self, seconds: float, vanished: Vanished | None) -> IndexReport:
        """Return the counts of the run."""
        stored = self._gallery.catalog.counts()
        return IndexReport(
            **self._changes.counts(),
            failed=stored.failed,
            incomplete=stored.incomplete,
            words=self.progress.now.words,
            seconds=seconds,
            vanished=vanished,
            not_reread=tuple(self._not_reread),
            passed_over=dict(self._walk.passed_over),
        )

    def read_all(self) -> None:
        """Bring every file that was found into the gallery, some in a transaction.

        The spotter is asked for nothing before a photograph needs it: without new content it is never loaded.
        """
        readers: OrderedPool[PhotoFile, ReadFile | Failed] = OrderedPool(
            Step(self._options.threads, self._read)
        )
        try:
            with self._reader, readers:
                changed = list(self._skip_unchanged())  # all at once: then what is left takes time
                read = map(self._link, readers.results(changed))
                for outcome in read:
                    if isinstance(outcome, ReadFile):
                        self._spot_all(chain([outcome], read))
                    else:
                        self._collect(outcome)
        except WriteError:  # the gallery takes no more
            raise
        except BaseException:  # Ctrl-C, too
            self._commit_finished()
            raise
        self._commit_finished()

    def _spot_all(self, read: Iterable[ReadFile | Copy | Record]) -> None:
        """Decode and spot what was read, several photographs at a time."""
        spotter = self._spotter
        self._batch = self._options.batch or (PHOTO_BATCH if spotter.threads else GPU_BATCH)
        decode = Step(self._options.threads, self._decode)
        spot = Step(spotter.threads, self._spot_alone)
        workers: OrderedPool[ReadFile | Copy | Record, DecodedPhoto | Document | Copy | Record] = (
            OrderedPool(decode, spot, ahead=_MAX_AHEAD) if spotter.threads else OrderedPool(decode)
        )
        try:
            with workers:
                for record in self._spot_batches(workers.results(read)):
                    self._collect(record)
        except BaseException:
            for done in workers.take_finished():
                if not isinstance(done, DecodedPhoto | Document):
                    self._collect(done)
            raise

    def commit(self, batch: Sequence[Record]) -> None:
        """Add ``batch`` to the gallery in one transaction, and count it."""
        batch = one_by_one.store(self._gallery, batch)
        for record in batch:
            self._count(record)
            self._holds_words |= isinstance(record, Spotted) and len(record.instances) > 0

    def remove_missing(self) -> Vanished | None:
        """Remove missing files from the gallery; return the photographs among them that stay, if some do."""
        options = self._options
        return remove_missing(self._gallery, self._walk, self._changes, self._photos_before, options.prune)

    def _collect(self, record: Copy | Record) -> None:
        """Keep ``record`` for the next transaction; a copy waits for the outcome of what it is a copy of."""
        if isinstance(record, Copy):
            self._collect_copy(record)
            return
        self._keep(record)
        sha256 = self._in_work.pop(record.file.path, None)
        if sha256 is not None:
            self._outcomes[sha256] = record
            for copy in self._waiting_copies.pop(sha256, ()):
                self._keep(copy.like(record))

    def _collect_copy(self, copy: Copy) -> None:
        if self._is_read(copy.sha256):
            self._keep(Linked(copy.file, copy.sha256))
        elif copy.sha256 in self._outcomes:
            self._keep(copy.like(self._outcomes[copy.sha256]))
        else:
            self._waiting_copies.setdefault(copy.sha256, []).append(copy)

    def _keep(self, record: Record) -> None:
        known = self._known.get(record.file.path)
        is_same = known is not None and known.file.size == record.file.size
        if isinstance(record, Failed) and is_same and self._waits(known):  # better than nothing
            self._not_reread.append(record)
            self.progress.finish(record)
            return
        self._finished.append(record)
        self.progress.finish(record)
        photos = sum(isinstance(each, Spotted) for each in self._finished)
        # The first photograph can be searched at once.
        wanted = self._batch if self._holds_words else 1
        if photos >= wanted or len(self._finished) >= _MAX_RECORDS:
            self._commit_finished()

    def _commit_finished(self) -> None:
        batch, self._finished = self._finished, []
        if batch:
            self.commit(batch)
            for record in batch:  # from now on the catalog knows
                if isinstance(record, Spotted):
                    self._outcomes.pop(record.sha256, None)

    def _skip_unchanged(self) -> Iterator[PhotoFile]:
        catalog, is_first = self._gallery.catalog, self._walk.is_complete
        for file in self._walk.files:
            known = catalog.record_at(file.path)
            if known is None or known.file != file or self._waits(known):
                if is_first:  # from now on there is something to complete
                    found = self.progress.now.total
                    catalog.state.set_folder(replace(catalog.state.folder(), unfinished=found))
                    is_first = False
                self._known[file.path] = known
                yield file
            else:
                self._changes.unchanged += isinstance(known, Linked)
                self.progress.pass_over(1)

    def _waits(self, known: Record | None) -> bool:
        return isinstance(known, Linked) and known.sha256 in self._waiting

    def _is_read(self, sha256: str) -> bool:
        return sha256 not in self._waiting and self._gallery.catalog.holds(sha256)

    def _read(self, file: PhotoFile) -> ReadFile | Failed:
        try:
            return ReadFile(file, self._reader.read(file.path))
        except OSError as error:
            return Failed(replace(file, mtime_ns=NEVER), error.strerror or str(error))
        except ImageError as error:
            return failed_record(file, error)

    def _link(self, read: ReadFile | Failed) -> ReadFile | Copy | Linked | Failed:
        """Return ``read`` if its content is new, else what says where it is known from."""
        if isinstance(read, Failed):
            return read
        sha256 = read.content.sha256
        if self._is_read(sha256):
            return Linked(read.file, sha256)
        if sha256 in self._in_work.values() or sha256 in self._outcomes:
            return Copy(read.file, sha256)
        self._in_work[read.file.path] = sha256
        return read

    def _decode(self, read: ReadFile | Copy | Record) -> DecodedPhoto | Document | Copy | Record:
        if not isinstance(read, ReadFile):
            return read
        try:
            photo = self._reader.open(read.file.path, read.content)
            if len(photo.pages) > 1:
                return Document(read.file, photo)
            return DecodedPhoto(
                read.file, read.content.sha256, self._reader.decode(photo, self._spotter.decode_side)
            )
        except ImageError as error:
            return failed_record(read.file, error)

    def _spot_alone(self, photo: DecodedPhoto | Document | Copy | Record) -> Copy | Record:
        if isinstance(photo, Document):
            return self._spot_document(photo)
        if not isinstance(photo, DecodedPhoto):
            return photo
        [record] = self._spot([photo])
        return record

    def _spot_batches(
        self, outcomes: Iterable[DecodedPhoto | Document | Copy | Record]
    ) -> Iterator[Copy | Record]:
        """Yield records; photographs without words yet are spotted, in batches of similar size."""
        waiting: list[DecodedPhoto] = []
        for outcome in outcomes:
            if not isinstance(outcome, DecodedPhoto):
                yield self._spot_document(outcome) if isinstance(outcome, Document) else outcome
                continue
            waiting.append(outcome)
            if len(waiting) >= _LOOK_AHEAD * self._batch:
                yield from self._spot(self._take_similar(waiting))
        while waiting:
            yield from self._spot(self._take_similar(waiting))

    def _take_similar(self, waiting: list[DecodedPhoto]) -> list[DecodedPhoto]:
        """Take a batch of the largest photographs out of ``waiting``: they are padded to one size."""
        waiting.sort(key=self._padded_size)
        batch = waiting[-self._batch :]
        del waiting[-self._batch :]
        return batch

    def _padded_size(self, photo: DecodedPhoto) -> tuple[int, int]:
        plan = self._resize.plan(*photo.decoded.image.shape[:2])
        return plan.padded_height, plan.padded_width

    def _spot(self, photos: Sequence[DecodedPhoto]) -> Sequence[Record]:
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
                is_rough=not self._options.recognize,
            )
            for photo, instances in zip(photos, found, strict=True)
        ]

    def _spot_document(self, document: Document) -> Record:
        [record] = one_by_one.spot(lambda some: [self._spot_pages(each) for each in some], [document])
        return record

    def _spot_pages(self, document: Document) -> Spotted | Failed:
        batch = 1 if self._spotter.threads else self._batch
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
            is_rough=not self._options.recognize,
        )

    def _count(self, record: Record) -> None:
        known = self._known.pop(record.file.path, None)
        if isinstance(record, Failed):
            return
        before = known.sha256 if isinstance(known, Linked) else None
        is_reread = isinstance(record, Spotted) and record.sha256 in self._waiting
        is_known = is_reread or isinstance(record, Linked)
        self._changes.add(record.file.path, before, record.sha256, is_known, is_reread)
        self._waiting.discard(record.sha256)
