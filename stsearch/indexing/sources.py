"""Where the photographs of a run come from: one seam, whether they are files or objects."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stsearch.checksums import file_sha256
from stsearch.errors import ImageRefusedError
from stsearch.gallery.records import PhotoFile
from stsearch.images.files import Content, read_content
from stsearch.images.formats import check_header
from stsearch.images.remote import RemoteImages
from stsearch.indexing.remote_walk import walk_photos
from stsearch.indexing.walk import Walk, WalkRules
from stsearch.mounts import Mounts
from stsearch.objects.url import Location

_DESCRIPTORS = Path("/proc/self/fd")  # of Linux


@dataclass(frozen=True, eq=False)
class DiskFile:
    """A file that another process can open.

    Attributes:
        path: absolute.
    """

    path: Path

    @classmethod
    def passing(cls, chunks: Iterable[bytes]) -> DiskFile:
        """Return one with some bytes that is gone when nobody holds it any more, or the process ends.

        Where descriptors have paths it has no other name, so nothing is left of it whatever ends the process.

        Raises:
            OSError: it cannot be written.
        """
        is_nameless = _DESCRIPTORS.is_dir()
        make = tempfile.TemporaryFile if is_nameless else tempfile.NamedTemporaryFile
        with ExitStack() as stack:
            file = stack.enter_context(make(prefix="stsearch-"))
            file.writelines(chunks)
            file.flush()
            name = f"/proc/{os.getpid()}/fd/{file.fileno()}" if is_nameless else file.name
            disk_file = cls(Path(name))
            weakref.finalize(disk_file, stack.pop_all().close)
        return disk_file


class PhotoSource(Protocol):
    """Lists and reads photographs, for several threads.

    Reading raises ``ImageError`` where a photograph is none, and ``ImageRefusedError`` where that may be
    otherwise at another time; messages do not name it.

    Attributes:
        readers: photographs that should be read at the same time, at least.
    """

    readers: int

    def walk(self, rules: WalkRules, knows: Callable[[PhotoFile], bool]) -> Walk:
        """List the photographs that ``rules`` choose.

        Args:
            rules: which files.
            knows: whether the gallery holds a file as it is now; such a one need not be looked into.

        Raises:
            UsageError: there is nothing to be listed.
            PhotosUnreachableError: it cannot be listed to its end now.
        """

    def read(
        self, file: PhotoFile, max_bytes: int, max_kept: int, timeout_s: float, remote: RemoteImages
    ) -> Content:
        """Read and hash ``file``; one that begins as no picture is not read to its end.

        Args:
            file: as it was listed.
            max_bytes: larger ones are refused.
            max_kept: the bytes of larger ones are not kept.
            timeout_s: reading is given up after that.
            remote: reads where this process might hang.

        Raises:
            OSError: it cannot be opened.
            PhotosUnreachableError: nothing can be read any more.
        """

    def on_disk(self, file: PhotoFile, content: Content) -> DiskFile:
        """Return a file with the bytes of ``content``, which was read from ``file``."""

    def sha256(self, file: PhotoFile) -> str:
        """Return the checksum of all bytes of ``file``.

        Raises:
            OSError: it cannot be read.
            PhotosUnreachableError: nothing can be read any more.
        """


class FolderSource:
    """The files of a folder.

    Args:
        root: the folder, resolved.
    """

    readers = 1

    def __init__(self, root: Path) -> None:
        self._root = root
        self._mounts = Mounts()

    def walk(self, rules: WalkRules, knows: Callable[[PhotoFile], bool] = lambda _: False) -> Walk:
        """List files; all that have no ending of a photograph are looked into, which takes no time here."""
        return walk_photos(self._root, rules)

    def read(
        self, file: PhotoFile, max_bytes: int, max_kept: int, timeout_s: float, remote: RemoteImages
    ) -> Content:
        """Read a file, in another process where it lies on a mount that may not answer."""
        place = self._root / file.path
        if self._mounts.is_distant(place):
            return remote.read_content(place, max_bytes, max_kept, timeout_s)
        try:
            return read_content(place, check_header, max_bytes, max_kept)
        except MemoryError as error:
            raise ImageRefusedError("there was not enough memory to read it") from error

    def on_disk(self, file: PhotoFile, content: Content) -> DiskFile:
        """Return the file itself."""
        return DiskFile(self._root / file.path)

    def sha256(self, file: PhotoFile) -> str:
        """Hash a file."""
        return file_sha256(self._root / file.path)


class SentSource(FolderSource):
    """Files of another machine, where they were listed and read: they came with their bytes."""

    def __init__(self) -> None:
        super().__init__(Path("/"))

    def on_disk(self, file: PhotoFile, content: Content) -> DiskFile:
        """Return a passing file with the bytes.

        Raises:
            ImageRefusedError: there is no room for it.
        """
        try:
            return DiskFile.passing([content.encoded or b""])
        except OSError as error:
            raise no_room_for_copy(error) from error


def no_room_for_copy(error: OSError) -> ImageRefusedError:
    """Return what to raise where a passing file cannot be written."""
    return ImageRefusedError(
        f"there is no room for a copy of it in {tempfile.gettempdir()}: {error.strerror or error}"
    )


def source_of(location: Location) -> PhotoSource:
    """Return what lists and reads the photographs in ``location``.

    Raises:
        UsageError: it is a URL, and the package for it is not installed, or it cannot be opened.
    """
    if isinstance(location, Path):
        return FolderSource(location.resolve())
    from stsearch.indexing.bucket import BucketSource

    return BucketSource(location)
