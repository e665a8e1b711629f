"""From a folder of photographs to a gallery: walk, then skip, link or spot each file.

Threads read a bounded number of files ahead, ``workers`` decode and spot them, and the gallery takes them in
their order, a few in a transaction. So memory stays flat, a slow photograph holds up no other, and whatever
ends a run costs no more than the photographs at work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import chain

from stsearch.batching import batched
from stsearch.errors import ImageError, WriteError
from stsearch.gallery.catalog import Failed, Linked, PhotoFile, Record, Spotted
from stsearch.gallery.protocol import WritableGallery
from stsearch.indexing import one_by_one
from stsearch.indexing.actors import Actors
from stsearch.indexing.changes import Changes, IndexReport
from stsearch.indexing.photo_worker import PhotoWorker
from stsearch.indexing.progress import Progress, ProgressCounter
from stsearch.indexing.reader import PhotoReader, ReadLimits
from stsearch.indexing.removal import remove_missing
from stsearch.indexing.sources import PhotoSource, source_of
from stsearch.indexing.stages import Copy, ReadFile, failed_record, is_as_recorded
from stsearch.indexing.vanished import Vanished
from stsearch.indexing.walk import NEVER, Walk, WalkRules
from stsearch.indexing.worker_processes import WorkerProcesses
from stsearch.indexing.workers import ThisProcess, Workers
from stsearch.types import PhotoSpotter
from stsearch.worker_pool import OrderedPool, Step

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
    gallery: WritableGallery,
    spotter: PhotoSpotter | WorkerProcesses | Actors,
    options: IndexOptions = IndexOptions(),
    progress: Callable[[Progress], None] = lambda _: None,
    walk: Walk | None = None,
) -> IndexReport:
    """Bring ``gallery`` up to date with the folder of its photographs.

    A file of known size and time is skipped, one of known content is linked, any other is spotted, and so is
    one that waits for being read again. However the call ends, the gallery holds what was finished, and the
    same call goes on from there.

    Args:
        gallery: opened with ``Gallery.create``.
        spotter: finds the words, in this process; or processes or actors that do. Of the weights the gallery
            was created with.
        options: batch size, threads and limits.
        progress: is called with every file that is finished.
        walk: what was found by the rules of ``options`` just now; None: it is looked for.

    Raises:
        WriteError: the gallery cannot be written to, for example because the disk is full.
        PhotosUnreachableError: the bucket that holds the photographs cannot be reached any more.
    """
    started = time.monotonic()
    source = source_of(gallery.photos)
    if walk is None:
        walk = source.walk(
            options.rules, lambda file: is_as_recorded(file, next(gallery.records([file.path])))
        )
    counter = ProgressCounter(len(walk.files) + len(walk.failed), progress)
    run = _Run(gallery, source, spotter, options, counter, walk)
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
        gallery: WritableGallery,
        source: PhotoSource,
        spotter: PhotoSpotter | WorkerProcesses | Actors,
        options: IndexOptions,
        progress: ProgressCounter,
        walk: Walk,
    ) -> None:
        self._gallery = gallery
        self._spotter = spotter
        self._options = options
        self.progress = progress
        self._walk = walk
        self._source = source
        self._reader = PhotoReader(source, options.limits, options.threads)
        self._networks = ExitStack()  # what is loaded for the first photograph, until the run ends
        self._workers: Workers | None = None
        self._changes = Changes()
        self._known: dict[str, Record | None] = {}  # records of the files in work before this run
        self._photos_before = gallery.counts().photos
        self._waiting = gallery.awaiting_reread(options.recognize)  # known, and read again
        self._not_reread: list[Failed] = []
        self._batch = 1  # photographs of a transaction; who spots them says how many
        self._finished: list[Record] = []  # not in the gallery yet
        self._holds_words = False  # of this run, so that something can be searched
        self._in_work: dict[str, str] = {}  # checksums of new contents, by the path they were read at
        self._outcomes: dict[str, Record] = {}  # of contents that the catalog does not hold, or not yet
        self._waiting_copies: dict[str, list[Copy]] = {}  # by checksum

    def report(self, seconds: float, vanished: Vanished | None) -> IndexReport:
        """Return the counts of the run."""
        stored = self._gallery.counts()
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
            Step(max(self._options.threads, self._source.readers), self._read)
        )
        try:
            with self._reader, readers, self._networks:
                changed = list(self._skip_unchanged())  # all at once: then what is left takes time
                for shared in self._gallery.share(changed, self.progress.pass_over):
                    read = map(self._link, readers.results(shared))
                    for outcome in read:
                        if isinstance(outcome, ReadFile):
                            self._spot_all(chain([outcome], read))
                        else:
                            self._collect(outcome)
                    self._commit_finished()
        except WriteError:  # the gallery takes no more
            raise
        except BaseException:  # Ctrl-C, too
            self._commit_finished()
            raise
        self._commit_finished()

    def _spot_all(self, read: Iterable[ReadFile | Copy | Record]) -> None:
        """Decode and spot what was read, several photographs at a time."""
        workers = self._workers = self._workers or self._networks.enter_context(self._open_workers())
        self._batch, size = workers.batching.photos, workers.batching.files

        def spot(some: Sequence[ReadFile | Copy | Record]) -> list[Copy | Record]:
            spotted = iter(workers.spot([each for each in some if isinstance(each, ReadFile)]))
            return [next(spotted) if isinstance(each, ReadFile) else each for each in some]

        pool: OrderedPool[Sequence[ReadFile | Copy | Record], list[Copy | Record]] = OrderedPool(
            Step(workers.count, spot), ahead=_MAX_AHEAD // size
        )
        try:
            with pool:
                for records in pool.results(batched(read, size)):
                    self._collect_all(records)
        except BaseException:
            for records in pool.take_finished():
                self._collect_all(records)
            raise

    def _open_workers(self) -> Workers:
        options = self._options
        if isinstance(self._spotter, WorkerProcesses | Actors):
            return self._spotter.of_run(self._gallery.photos, options.limits, options.batch)
        worker = PhotoWorker(self._reader, self._spotter, options.batch, options.threads, options.recognize)
        return ThisProcess(worker, self._spotter)

    def _collect_all(self, records: Iterable[Copy | Record]) -> None:
        for record in records:
            self._collect(record)

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
        if isinstance(record, Failed) and self._has_better(record):
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

    def _has_better(self, failed: Failed) -> bool:
        """Return whether the words that are known of a file are better than that it failed just now."""
        known = self._known.get(failed.file.path)
        if not isinstance(known, Linked):
            return False
        is_refused_object = failed.file.stamp is not None and failed.file.mtime_ns == NEVER
        return is_refused_object or (self._waits(known) and known.file.size == failed.file.size)

    def _commit_finished(self) -> None:
        batch, self._finished = self._finished, []
        if batch:
            self.commit(batch)
            for record in batch:  # from now on the catalog knows
                if isinstance(record, Spotted):
                    self._outcomes.pop(record.sha256, None)

    def _skip_unchanged(self) -> Iterator[PhotoFile]:
        gallery, is_first = self._gallery, self._walk.is_complete
        records = gallery.records([file.path for file in self._walk.files])
        for file, known in zip(self._walk.files, records, strict=True):
            if not is_as_recorded(file, known) or self._waits(known):
                if is_first:  # from now on there is something to complete
                    found = self.progress.now.total
                    gallery.set_folder_state(replace(gallery.folder_state(), unfinished=found))
                    is_first = False
                self._known[file.path] = known
                yield file
            else:
                self._changes.unchanged += isinstance(known, Linked)
                self.progress.pass_over(1)

    def _waits(self, known: Record | None) -> bool:
        return isinstance(known, Linked) and known.sha256 in self._waiting

    def _is_read(self, sha256: str) -> bool:
        return sha256 not in self._waiting and self._gallery.holds(sha256)

    def _read(self, file: PhotoFile) -> ReadFile | Failed:
        try:
            return ReadFile(file, self._reader.read(file))
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

    def _count(self, record: Record) -> None:
        known = self._known.pop(record.file.path, None)
        if isinstance(record, Failed):
            return
        before = known.sha256 if isinstance(known, Linked) else None
        is_reread = isinstance(record, Spotted) and record.sha256 in self._waiting
        is_known = is_reread or isinstance(record, Linked)
        self._changes.add(record.file.path, before, record.sha256, is_known, is_reread)
        self._waiting.discard(record.sha256)
