"""What an indexing run would do, as far as the file system tells; no photograph is opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stsearch.gallery.catalog import Failed, Linked
from stsearch.gallery.gallery import Gallery
from stsearch.indexing.walk import WalkRules, walk_photos


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run would do, judged by path, size and time: a moved photograph counts as new and removed.

    Attributes:
        new: paths of files to read that the gallery has no words of.
        changed: paths of files that were read, and have another size or time now.
        removed: paths of files that were read, and are no longer there or are left out.
        unchanged: how many files that were read would be skipped.
        failed: what cannot be looked at.
    """

    new: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int
    failed: tuple[Failed, ...]


def preview(photos: Path, gallery: Gallery | None, rules: WalkRules) -> Preview:
    """Return what ``index_photos`` would do with the folder ``photos``.

    Args:
        photos: the folder.
        gallery: of its photographs; None when there is none yet.
        rules: which files of the folder are looked at.

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
    removed = [path for path in walk.gone(known) if isinstance(known[path], Linked)]
    return Preview(tuple(new), tuple(changed), tuple(removed), unchanged, tuple(walk.failed))
