"""Predict an indexing run: no photograph is decoded, and few are hashed, where their content decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from stsearch.checksums import file_sha256
from stsearch.gallery.catalog import Failed, Linked
from stsearch.gallery.gallery import Gallery
from stsearch.indexing.changes import Changes
from stsearch.indexing.remote_walk import walk_photos
from stsearch.indexing.vanished import Vanished, find_vanished
from stsearch.indexing.walk import NEVER, Walk, WalkRules


@dataclass(frozen=True, slots=True)
class Preview:
    """The changes that a run would make, as its :class:`~stsearch.indexing.changes.IndexReport` counts them.

    Whether a photograph can be decoded is not known; one that cannot counts as ``new`` or ``changed`` too.

    Attributes:
        new: paths of files to read that have no words in the gallery.
        changed: paths of files that were read, and have another content now.
        moved: paths of files whose words the gallery has under another path, which is missing.
        removed: paths of files that were read, and are missing or excluded now.
        unchanged: how many files that were read would be skipped.
        reread: how many of them would be read again.
        failed: files and folders that cannot be accessed.
        vanished: photographs that are missing in such a way that they would stay.
        passed_over: as ``Walk.passed_over``.
    """

    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: int = 0
    reread: int = 0
    failed: tuple[Failed, ...] = ()
    vanished: Vanished | None = None
    passed_over: Mapping[str, int] = field(default_factory=dict)


def preview(
    photos: Path, gallery: Gallery | None, rules: WalkRules, recognize: bool = True, prune: bool = False
) -> Preview:
    """Return the changes ``index_photos`` would make for the folder ``photos``.

    Args:
        photos: the folder.
        gallery: of its photographs; None when there is none yet.
        rules: which files of the folder are indexed.
        recognize: as in ``IndexOptions``.
        prune: as in ``IndexOptions``.

    Raises:
        UsageError: the folder cannot be listed.
    """
    walk = walk_photos(photos.resolve(), rules)
    if gallery is None:
        new = tuple(file.path for file in walk.files)
        return Preview(new, failed=tuple(walk.failed), passed_over=dict(walk.passed_over))
    return _Forecast(gallery, walk, recognize).preview(prune)


class _Forecast:
    """A run that only counts."""

    def __init__(self, gallery: Gallery, walk: Walk, recognize: bool) -> None:
        self._gallery = gallery
        self._walk = walk
        self._known = {path: gallery.catalog.record_at(path) for path in gallery.catalog.paths()}
        self._waiting = gallery.catalog.rereads.checksums(recognize)
        self._failed = list(walk.failed)
        self._changes = Changes()
        self._missing = [
            record for path in walk.missing(self._known) if isinstance(record := self._known[path], Linked)
        ]

    def preview(self, prune: bool) -> Preview:
        self._add_files()
        walk, changes, catalog = self._walk, self._changes, self._gallery.catalog
        photos = [each.file.path for each in self._missing if not changes.take_moved(each.sha256)]
        kept, vanished = set[str](), None
        if not prune:
            known, before = catalog.counts().photos, catalog.state.folder().devices
            kept, vanished = find_vanished(self._gallery.photos, photos, known, walk.devices, before)
        return Preview(
            tuple(changes.new),
            tuple(changes.changed),
            tuple(changes.moved),
            tuple(path for path in photos if path not in kept),
            changes.unchanged,
            changes.reread,
            tuple(self._failed),
            vanished,
            dict(walk.passed_over),
        )

    def _add_files(self) -> None:
        sizes_missing = {record.file.size for record in self._missing}
        for file in self._walk.files:
            record = self._known.get(file.path)
            before = record if isinstance(record, Linked) else None
            if record is not None and record.file == file:
                if before is not None:
                    self._add(file.path, before, before.sha256)
            elif file.size in ({before.file.size} if before else sizes_missing):
                try:
                    self._add(file.path, before, file_sha256(self._gallery.photos / file.path))
                except OSError as error:
                    reason = error.strerror or str(error)
                    self._failed.append(Failed(replace(file, mtime_ns=NEVER), reason))
            else:
                self._add(file.path, before, "")  # no content that matters has this size

    def _add(self, path: str, before: Linked | None, sha256: str) -> None:
        is_reread = sha256 in self._waiting
        self._changes.add(path, before.sha256 if before else None, sha256, True, is_reread)
        self._waiting.discard(sha256)
