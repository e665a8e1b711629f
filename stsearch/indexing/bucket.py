"""The photographs of a bucket: listed by the rules that hold for a folder, and read from where they lie."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator

from stsearch.errors import ImageRefusedError, PhotosUnreachableError, UsageError
from stsearch.gallery.records import PhotoFile, is_inside
from stsearch.images.files import Content, check_size, take_in
from stsearch.images.formats import check_header
from stsearch.images.remote import RemoteImages
from stsearch.indexing.bucket_walk import BucketWalker
from stsearch.indexing.sources import DiskFile, no_room_for_copy
from stsearch.indexing.walk import Walk, WalkRules
from stsearch.objects.faults import StorageBusyError
from stsearch.objects.store import bucket_of
from stsearch.objects.url import ObjectUrl, located

_READERS = 4  # requests at the same time; each waits for the network, and holds a photograph
_MOST_BUSY = 10  # objects in a row that the storage does not give, after which it is not asked for more


class BucketSource:
    """The objects below a prefix.

    Args:
        root: the bucket, or the prefix in it.

    Raises:
        UsageError: the package for it is not installed, or it cannot be opened.
    """

    readers = _READERS

    def __init__(self, root: ObjectUrl) -> None:
        self._root = root
        self._bucket = bucket_of(root)
        self._busy = 0
        self._lock = threading.Lock()

    def walk(self, rules: WalkRules, knows: Callable[[PhotoFile], bool] = lambda _: False) -> Walk:
        """List objects; the first bytes of those that their name says nothing of are asked for."""
        walker = BucketWalker(self._bucket, self._root, rules, knows)
        return walker.walk_all() if rules.only is None else walker.walk_listed(rules.only)

    def read(
        self, file: PhotoFile, max_bytes: int, max_kept: int, timeout_s: float, remote: RemoteImages
    ) -> Content:
        """Read an object in one request, which ends after the first bytes of what is no picture."""
        check_size(file.size, max_bytes)
        try:
            chunks = _in_time(self._chunks(file), timeout_s)
            content = take_in(chunks, check_header, max_bytes, max_kept)
        except StorageBusyError as error:
            self._count_busy(error)
            raise
        except MemoryError as error:
            raise ImageRefusedError("there was not enough memory to read it") from error
        self._busy = 0
        return content

    def on_disk(self, file: PhotoFile, content: Content) -> DiskFile:
        """Return a passing file; what was too large to be kept is read once more."""
        try:
            return DiskFile.passing(self._chunks(file) if content.encoded is None else [content.encoded])
        except OSError as error:
            raise no_room_for_copy(error) from error

    def sha256(self, file: PhotoFile) -> str:
        """Hash an object, all of which is read for that."""
        return take_in(self._chunks(file), lambda _: None, max_bytes=file.size, max_kept=0).sha256

    def _chunks(self, file: PhotoFile) -> Iterator[bytes]:
        """Return the bytes of an object as it was listed."""
        etag = None if file.stamp is None or file.stamp.startswith("W/") else file.stamp  # weak: never equal
        return self._bucket.read((self._root / file.path).key, etag)

    def _count_busy(self, error: StorageBusyError) -> None:
        """Give up where the storage gives nothing any more: else every photograph would be refused."""
        with self._lock:
            self._busy += 1
            if self._busy >= _MOST_BUSY:
                raise PhotosUnreachableError(f"{self._root} cannot be read any more: {error}") from error


def listed_objects(names: Iterable[str], root: ObjectUrl) -> tuple[str, ...]:
    """Return the objects ``names``, URLs or relative to ``root``, as paths relative to it.

    Raises:
        UsageError: one lies elsewhere, or holds a NUL character.
    """
    relative = []
    for name in filter(None, names):
        if "\0" in name:
            raise UsageError("the list of photos is separated by NUL characters: add --null")
        url = located(name) if "://" in name else root / name
        below = url.name_below(root) if isinstance(url, ObjectUrl) else None
        if below is None or (below and not is_inside(below)):
            raise UsageError(f"{name!r} lies outside {str(root)!r}: list photos of that bucket only")
        if below:
            relative.append(below)
    return tuple(relative)


def _in_time(chunks: Iterable[bytes], timeout_s: float) -> Iterator[bytes]:
    deadline = time.monotonic() + timeout_s
    for chunk in chunks:
        yield chunk
        if time.monotonic() > deadline:
            raise ImageRefusedError(f"took longer than {timeout_s:g} s to read")
