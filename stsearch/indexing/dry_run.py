"""Predict an indexing run from the file system alone; no photograph is opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stsearch.gallery.catalog import Failed, Linked
from stsearch.gallery.gallery import Gallery
from stsearch.indexing.walk import WalkRules, walk_photos


@dataclass(frozen=True, slots=True)
class Preview:
    """The changes of a run, judged by path, size and time: a moved photograph counts as new and removed.

    Attributes:
        new: paths of files to read that have no words in the gallery.
        changed: paths of files that were read, and have another size or time now.
        removed: paths of files that were read, and are missing or excluded now.
        unchanged: how many files that were read would be skipped.
        failed: files and folders that cannot be accessed.
    """

    new: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int
    failed: tuple[Failed, ...]


def preview(photos: Path, gallery: Gallery | None, rules: WalkRules) -> Preview:
    """Return the changes ``index_photos`` would make for the folder ``photos``.

    Args:
        photos: the folder.
        gallery: of its photographs; None when there is none yet.
        rules: which files of the folder are indexed.

    Raises:
        UsageError: the folder cannot be listed.
    """
    walk = walk_photos(photos.resolve(), rules)
    known = {path: gallery.catalog.record_at(path) for path in gallery.catalog.paths()} if gallery else {}
    new: list[str] = []
    changed: list[str] = []
    unchanged = 0
    for file in walk.files:
        record = known.get(file.path)
        was_read = isinstance(record, Linked)
        if record is None or record.file != file:
            (changed if was_read else new).append(file.path)
        else:
            unchanged += was_read
    removed = [path for path in walk.missing(known) if isinstance(known[path], Linked)]
    return Preview(tuple(new), tuple(changed), tuple(removed), unchanged, tuple(walk.failed))
