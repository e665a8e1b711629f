"""Find the photographs among the objects of a bucket, except those that rules or ignore files exclude.

Keys with slashes are taken for paths in folders, so that the rules of a folder mean the same here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath
from typing import TypeVar

from stsearch.errors import ImageError, ImageRefusedError, UsageError
from stsearch.gallery.records import Failed, PhotoFile
from stsearch.images.formats import HEADER_BYTES, is_picture
from stsearch.indexing.ignore_patterns import Patterns, ignore_lines
from stsearch.indexing.walk import (
    IGNORE_FILE,
    NEVER,
    SUFFIXES,
    Walk,
    WalkRules,
    ending_of,
    is_excluded,
    is_hidden,
)
from stsearch.objects.store import Bucket, InvalidKeyError, StoredObject
from stsearch.objects.url import ObjectUrl
from stsearch.worker_pool import OrderedPool, Step

T = TypeVar("T")
R = TypeVar("R")

_REQUESTS = 16  # at the same time, for what a listing does not tell

_OTHER_SUFFIXES = frozenset(
    ".7z .aae .avi .avro .bak .bin .bz2 .css .csv .db .doc .docx .exe .flac .gpx .gz .h5 .htm .html"
    " .ini .iso .js .json .jsonl .log .m3u8 .m4a .m4v .map .md .md5 .mkv .mov .mp3 .mp4 .mpd .mpg .npy"
    " .npz .ods .odt .ogg .opus .orc .parquet .pb .pt .pth .py .rar .sha256 .sql .sqlite .svg .tar"
    " .tfrecord .tgz .thm .ts .ttf .txt .url .wav .webm .woff .woff2 .xls .xlsx .xml .xmp .xz .yaml .yml"
    " .zip .zst".split()
)
"""Objects with these endings are no photographs: there may be many, and a request for each is too much."""

_ODD_KEY = (
    "a key there has an empty part, . or .., as a//b has, and cannot be listed: rename it, or index the"
    " prefixes below one by one"
)


class BucketWalker:
    """One walk over the objects below a prefix.

    Args:
        bucket: open.
        root: the prefix.
        rules: which objects are photographs; there are no links to be followed.
        knows: whether the gallery holds an object as it is now.
    """

    def __init__(
        self, bucket: Bucket, root: ObjectUrl, rules: WalkRules, knows: Callable[[PhotoFile], bool]
    ) -> None:
        self._bucket = bucket
        self._root = root
        self._knows = knows
        self._exclude = Patterns("", rules.exclude)
        self._left_out: set[str] = set()  # what is there, and excluded
        self._walk = Walk(is_complete=rules.only is None, exists=self._left_out.__contains__)
        self._patterns: dict[str, tuple[Patterns, ...] | None] = {}  # of folders; None: left out as a whole
        self._has_ignore_file: Callable[[str], bool] = lambda _: True

    def walk_all(self) -> Walk:
        """List everything below the prefix.

        Raises:
            UsageError: there is no such bucket, or nothing of it can be listed.
            PhotosUnreachableError: it cannot be listed to its end.
        """
        found = {self._name(each): each for each in self._list()}
        self._has_ignore_file = lambda folder: f"{folder}{IGNORE_FILE}" in found
        folders = {parent for name in found for parent in _parents(name)}
        unclear = []
        for name, stored in found.items():
            if f"{name}/" not in folders and self._is_wanted(name):  # else it stands for a folder
                unclear += self._sort_in(name, stored)
        self._look_into(unclear)
        return self._in_order()

    def walk_listed(self, names: Iterable[str]) -> Walk:
        """Look at some objects alone, by the same rules; one that is missing fails.

        Raises:
            UsageError: there is no such bucket.
            PhotosUnreachableError: it cannot be reached.
        """
        wanted = []
        for name in sorted(set(names)):
            if self._is_wanted(name):
                wanted.append(name)
            else:
                self._walk.passed_over[ending_of(name)] += 1
        unclear = []
        for name, stored in zip(wanted, _at_once(self._find, wanted), strict=True):
            if isinstance(stored, StoredObject):
                unclear += self._sort_in(name, stored)
            else:
                self._fail(name, stored)
        self._look_into(unclear)
        return self._in_order()

    def _list(self) -> list[StoredObject]:
        """Return all objects; where the key of one cannot be listed, all but those beside it."""
        try:
            return self._bucket.list_below(self._root.key)
        except InvalidKeyError:
            return list(self._list_folder_by_folder())

    def _list_folder_by_folder(self) -> Iterator[StoredObject]:
        pending = [self._root.key]
        while pending:
            prefix = pending.pop()
            try:
                objects, prefixes = self._bucket.list_folder(prefix)
            except InvalidKeyError:
                folder = prefix[len(self._root.key) :].strip("/")
                self._fail(f"{folder}/" if folder else "", _ODD_KEY)
                continue
            yield from objects
            pending += prefixes

    def _find(self, name: str) -> StoredObject | str:
        """Return the object ``name``, or why there is none."""
        try:
            return self._bucket.find((self._root / name).key)
        except ImageRefusedError as error:
            return str(error)

    def _name(self, stored: StoredObject) -> str:
        return stored.key[len(self._root.key) :].removeprefix("/")

    def _is_wanted(self, name: str) -> bool:
        """Return whether the rules do not exclude an object, whatever it is."""
        folder, _, last = name.rpartition("/")
        patterns = self._patterns_in(f"{folder}/" if folder else "")
        if patterns is not None and not is_hidden(last) and not is_excluded(name, (self._exclude, *patterns)):
            return True
        self._left_out.add(name)
        return False

    def _patterns_in(self, folder: str) -> tuple[Patterns, ...] | None:
        """Return the patterns of the ignore files in ``folder`` and above, the nearest first."""
        if folder not in self._patterns:
            self._patterns[folder] = self._find_patterns(folder)
        return self._patterns[folder]

    def _find_patterns(self, folder: str) -> tuple[Patterns, ...] | None:
        above: tuple[Patterns, ...] = ()
        if folder:
            parent, _, last = folder.removesuffix("/").rpartition("/")
            around = self._patterns_in(f"{parent}/" if parent else "")
            if around is None or is_hidden(last) or is_excluded(folder, (self._exclude, *around)):
                return None
            above = around
        try:
            lines = ignore_lines(self._ignore_file(folder))
            own: tuple[Patterns, ...] = (Patterns(folder, lines),) if any(lines) else ()
        except (ImageError, ValueError) as error:
            self._fail(folder, f"{IGNORE_FILE}: {error}")
            return None
        return own + above

    def _ignore_file(self, folder: str) -> bytes:
        if not self._has_ignore_file(folder):
            return b""
        try:
            return b"".join(self._bucket.read((self._root / f"{folder}{IGNORE_FILE}").key))
        except ImageRefusedError:
            if self._walk.is_complete:  # it was listed
                raise
            return b""

    def _sort_in(self, name: str, stored: StoredObject) -> list[PhotoFile]:
        """Put an object where it belongs by its name, or return it where its content decides."""
        file = PhotoFile(name, stored.size, stored.mtime_ns, stored.etag)
        ending = PurePosixPath(name).suffix.lower()
        if ending in SUFFIXES:
            self._walk.files.append(file)
        elif ending not in _OTHER_SUFFIXES and stored.size:
            return [file]
        else:
            self._walk.passed_over[ending_of(name)] += 1
        return []

    def _look_into(self, unclear: Iterable[PhotoFile]) -> None:
        """Add those of the objects ``unclear`` that begin as a picture, or that the gallery knows so."""
        asked = []
        for file in unclear:
            if self._knows(file):
                self._walk.files.append(file)
            else:
                asked.append(file)
        for file, is_photo in zip(asked, _at_once(self._begins_as_picture, asked), strict=True):
            if is_photo:
                self._walk.files.append(file)
            else:
                self._walk.passed_over[ending_of(file.path)] += 1

    def _begins_as_picture(self, file: PhotoFile) -> bool:
        try:
            return is_picture(self._bucket.read_beginning((self._root / file.path).key, HEADER_BYTES))
        except ImageRefusedError:
            return False

    def _fail(self, name: str, reason: str) -> None:
        if not name:
            raise UsageError(f"cannot list {self._root}: {reason}")
        self._walk.failed.append(Failed(PhotoFile(name, 0, NEVER), reason))

    def _in_order(self) -> Walk:
        """Return the walk with its files in the order that a folder is walked in."""
        self._walk.files.sort(key=lambda file: _order(file.path))
        return self._walk


def _at_once(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield the result of ``work`` for each item, in order, some at the same time."""
    pool: OrderedPool[T, R] = OrderedPool(Step(_REQUESTS, work))
    with pool:
        yield from pool.results(items)


def _parents(name: str) -> Iterator[str]:
    """Yield the folders that ``name`` lies in, each with a slash at its end.

    >>> list(_parents("a/b/c.jpg"))
    ['a/b/', 'a/']
    """
    while (end := name.rstrip("/").rfind("/")) >= 0:
        name = name[: end + 1]
        yield name


def _order(path: str) -> list[tuple[bool, str]]:
    """Return what sorts paths folder by folder, the files of a folder before the folders in it."""
    *folders, name = path.split("/")
    return [*((True, folder) for folder in folders), (False, name)]
