"""What a run changes in a gallery, counted in the same way by the run and by its dry run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stsearch.gallery.catalog import Failed
from stsearch.indexing.vanished import Vanished


@dataclass(frozen=True, slots=True)
class IndexReport:
    """The changes that a run made to the gallery, in files.

    Attributes:
        new: not known before, copies of known photographs included.
        changed: known under this path with another content.
        moved: known under another path, which is missing now; not read again.
        removed: missing now, or excluded by the rules of this run.
        unchanged: known, with the same size and time, or at least the same content.
        reread: unchanged too, and yet read again: other weights, or no recognizer, had read them.
        failed: could not be read, now or at an earlier run.
        incomplete: could be read in part only, now or at an earlier run.
        words: text instances found by this run.
        seconds: duration of the run.
        not_reread: files that could not be read again; what was known of them stays.
        vanished: known photographs that are missing in such a way that they stay in the gallery.
        passed_over: how many files are no photographs, by ending ("": none), links and special files.
    """

    new: int = 0
    changed: int = 0
    moved: int = 0
    removed: int = 0
    unchanged: int = 0
    reread: int = 0
    failed: int = 0
    incomplete: int = 0
    words: int = 0
    seconds: float = 0.0
    not_reread: tuple[Failed, ...] = ()
    vanished: Vanished | None = None
    passed_over: Mapping[str, int] = field(default_factory=dict)


class Changes:
    """Sorts the files of a run; first those that are there, then those that are not any more.

    Attributes:
        new: paths, in the order they came; the values say nothing.
        changed: paths.
        moved: paths, where the files are now.
        removed: paths.
        reread: how many.
        unchanged: how many.
    """

    def __init__(self) -> None:
        self.new: dict[str, None] = {}
        self.changed: list[str] = []
        self.moved: list[str] = []
        self.removed: list[str] = []
        self.reread = self.unchanged = 0
        self._arrived: dict[str, list[str]] = {}  # new paths of contents that were known, by checksum

    def counts(self) -> dict[str, int]:
        """Return how many files there are of each kind, by the names of :class:`IndexReport`."""
        return {
            "new": len(self.new),
            "changed": len(self.changed),
            "moved": len(self.moved),
            "removed": len(self.removed),
            "unchanged": self.unchanged,
            "reread": self.reread,
        }

    def add(self, path: str, before: str | None, now: str, is_known: bool, is_reread: bool = False) -> None:
        """Count a file that is there and can be read.

        Args:
            path: of it.
            before: SHA-256 of what the gallery knew under this path, None when it knew nothing.
            now: SHA-256 of the file.
            is_known: whether the gallery knew such a content under any path.
            is_reread: whether it is read again though the gallery knew it.
        """
        if before is None:
            self.new[path] = None
            if is_known:
                self._arrived.setdefault(now, []).append(path)
        elif before == now:
            self.reread += is_reread
            self.unchanged += not is_reread
        else:
            self.changed.append(path)

    def take_moved(self, sha256: str) -> bool:
        """Return whether a missing file with this content has a new path, which then counts as moved."""
        arrived = self._arrived.get(sha256)
        if not arrived:
            return False
        path = arrived.pop(0)
        del self.new[path]
        self.moved.append(path)
        return True
