"""Whether known photographs that are missing were deleted, or only cannot be seen: a share is not mounted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from stsearch.indexing.walk import device_of

_MANY = 20
"""Of so many photographs more than half do not disappear by accident; of fewer, all."""


@dataclass(frozen=True, slots=True)
class Vanished:
    """Known photographs that are missing, and stay in the gallery until somebody says that they are gone.

    Attributes:
        missing: how many.
        known: how many photographs the gallery had.
        other_device: whether the place they were in lies on another device now.
        in_bucket: whether they are objects.
    """

    missing: int
    known: int
    other_device: bool
    in_bucket: bool = False

    def __str__(self) -> str:
        """Return what was seen, and what to do."""
        device = ", and the folder is on another device than before" if self.other_device else ""
        are = "photo is" if self.known == 1 else "photos is" if self.missing == 1 else "photos are"
        cause = "this were another bucket" if self.in_bucket else "a share were not mounted"
        return (
            f"{self.missing} of {self.known} known {are} missing{device}, as if {cause}:"
            " nothing was removed. Make them available and run the same command again; if they are"
            " gone for good, add --prune (in Python: prune=True)"
        )


def find_vanished(
    exists: Callable[[str], bool],
    missing: Sequence[str],
    known: int,
    devices: Mapping[str, int],
    before: Mapping[str, int],
) -> tuple[set[str], Vanished | None]:
    """Return those of the ``missing`` photographs that are not to be removed, and why.

    A file that still exists is missing because the rules exclude it now, which somebody wanted.

    Args:
        exists: as ``Walk.exists``.
        missing: paths of photographs that were read, and are neither found nor moved.
        known: how many photographs the gallery had before the run.
        devices: as ``Walk.devices``; there are none of a bucket.
        before: the same at the last run; empty where that is not known.
    """
    gone = [path for path in missing if not exists(path)]
    elsewhere = {path for path in gone if device_of(path, before) not in (None, device_of(path, devices))}
    is_unlikely = gone and (len(gone) == known or (known >= _MANY and 2 * len(gone) > known))
    kept = set(gone) if is_unlikely else elsewhere
    return kept, Vanished(len(kept), known, bool(elsewhere), not devices) if kept else None
