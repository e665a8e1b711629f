"""The end of a run: what is missing from the folder leaves the gallery, if it is sure to be gone."""

from __future__ import annotations

from stsearch.gallery.catalog import Linked
from stsearch.gallery.folder_state import FolderState
from stsearch.gallery.protocol import WritableGallery
from stsearch.indexing.changes import Changes
from stsearch.indexing.vanished import Vanished, find_vanished
from stsearch.indexing.walk import Walk

_MAX_ENDINGS = 1000  # that are kept; a folder may hold files of any names


def remove_missing(
    gallery: WritableGallery, walk: Walk, changes: Changes, photos_before: int, prune: bool
) -> Vanished | None:
    """Remove missing files from ``gallery``, and keep in it what the run saw.

    Args:
        gallery: holds all files of the walk.
        walk: of this run.
        changes: of this run so far; what moved and what was removed is added.
        photos_before: how many photographs the gallery had before the run.
        prune: remove even what seems to have vanished.

    Returns:
        The photographs that are kept because they seem to have vanished; None where none are.
    """
    if not walk.is_complete:
        return None
    last, missing = gallery.folder_state(), walk.missing(gallery.paths())
    photos, kept, vanished = list[str](), set[str](), None
    for path, record in zip(missing, gallery.records(missing), strict=True):
        if isinstance(record, Linked) and not changes.take_moved(record.sha256):
            photos.append(path)
    if not prune:
        kept, vanished = find_vanished(walk.exists, photos, photos_before, walk.devices, last.devices)
    changes.removed += [path for path in photos if path not in kept]
    gallery.remove(path for path in missing if path not in kept)
    passed_over = dict(walk.passed_over.most_common(_MAX_ENDINGS))
    gallery.set_folder_state(FolderState(passed_over, last.devices if vanished else walk.devices))
    return vanished
