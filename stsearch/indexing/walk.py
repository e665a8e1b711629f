"""Find the photographs of a folder, except those that rules or ignore files exclude.

Of a file that is not named as a photograph the first bytes are read, and else only ``.stsearchignore`` files;
whatever is not a regular file is never opened at all.
"""

from __future__ import annotations

import os
import stat
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from stsearch.errors import GalleryUnreadableError, UsageError
from stsearch.gallery.catalog import Failed, PhotoFile
from stsearch.gallery.paths import relative_to_root, resolve
from stsearch.images import is_picture
from stsearch.indexing.ignore_patterns import Patterns, ignore_lines

SUFFIXES = frozenset(".jpg .jpeg .jpe .jfif .png .webp .tif .tiff .bmp .gif .heic .heif .avif".split())
"""Files with these endings are photographs; one that cannot be read, whatever the reason, is reported."""

IGNORE_FILE = ".stsearchignore"
"""Files of this name hold patterns, in the syntax of .gitignore, for what lies beside and below them."""

NEVER = -1
"""A modification time no file has: files recorded with it are read again at every run."""

_SYSTEM_FOLDERS = frozenset(
    ("@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot", "$recycle.bin")
)
"""What NAS boxes and Windows keep beside photographs: thumbnails, what was deleted, earlier states."""

LINK, SPECIAL = "symbolic link", "special file"
"""How links that are not followed, and pipes, sockets and devices, are counted among what is passed over."""

_MAX_ENDING = 16  # characters; what is longer after the last dot of a name is no ending


@dataclass(frozen=True, slots=True)
class WalkRules:
    """The rules that choose files of a folder.

    Hidden files and folders are always excluded, and so are the thumbnails and recycle bins of NAS boxes and
    Windows (``@eaDir``, ``#recycle``, ``$RECYCLE.BIN``).

    Attributes:
        exclude: patterns in the syntax of .gitignore, relative to the folder; they outweigh ignore files.
        follow: whether symbolic links are followed, each folder being walked once.
        only: paths relative to the folder, as ``listed_photos`` returns them; all others are excluded.

    Raises:
        UsageError: a pattern is invalid.
    """

    exclude: tuple[str, ...] = ()
    follow: bool = False
    only: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for pattern in self.exclude:
            try:
                Patterns("", [pattern])
            except ValueError as error:
                raise UsageError(
                    f"cannot exclude {pattern!r}: no pattern in the syntax of .gitignore"
                ) from error


@dataclass(frozen=True, slots=True)
class Walk:
    """The result of a walk.

    Attributes:
        files: the photographs, in a fixed order.
        failed: files and folders that cannot be accessed; the path of a folder ends in a slash.
        passed_over: how many other files there are, by their endings in lower case, "" for names without one;
            ``LINK`` and ``SPECIAL`` are counted too. Hidden and excluded ones only if they were listed.
        devices: numbers of the devices, by the folder at which each begins; that of the folder itself is "".
        is_complete: whether all files that are not among them are missing or excluded.
        exists: whether a path that is not among them is there all the same: the rules exclude it.
    """

    files: list[PhotoFile] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    devices: dict[str, int] = field(default_factory=dict)
    is_complete: bool = True
    exists: Callable[[str], bool] = field(default=lambda _: False, compare=False)

    def missing(self, paths: Iterable[str]) -> list[str]:
        """Return those of ``paths`` that are missing; files in a folder that failed may still exist."""
        if not self.is_complete:
            return []
        present = {each.path for each in self.files} | {each.file.path for each in self.failed}
        unknown = tuple(each.file.path for each in self.failed if each.file.path.endswith("/"))
        return [path for path in paths if path not in present and not path.startswith(unknown)]


def walk_photos(root: Path, rules: WalkRules = WalkRules(), step: Callable[[], None] = lambda: None) -> Walk:
    """Find the photographs below ``root``, or among the files that ``rules`` lists.

    Listed paths are treated as the walk treats them, except that a missing file fails.

    Args:
        root: the folder.
        rules: which of its files count.
        step: is called with every file and folder that is looked at.

    Raises:
        UsageError: ``root`` itself is no folder, or its ignore file makes no sense.
        GalleryUnreadableError: it cannot be listed: no permission, a share that does not answer.
    """
    walker = _Walker(root, rules, step)
    if rules.only is None:
        walker.walk_all()
    else:
        for path in sorted(set(rules.only)):
            walker.add_listed(path)
    return walker.walk


def listed_photos(names: Iterable[str], photos: Path) -> tuple[str, ...]:
    r"""Return the paths ``names``, relative to the folder ``photos``; the folder itself is passed over.

    Args:
        names: absolute, or relative to the current folder.
        photos: the folder of the photographs.

    Raises:
        UsageError: a path lies outside ``photos``, or holds a NUL character.
    """
    root = photos.resolve()
    folders: dict[Path, str | None] = {}
    relative = []
    for name in filter(None, names):
        if "\0" in name:
            raise UsageError("the list of photos is separated by NUL characters: add --null")
        path = Path(name).absolute()
        if path.parent not in folders:
            folders[path.parent] = relative_to_root(path.parent, root)
        folder = folders[path.parent]
        if folder is not None and path.name != "..":
            relative.append(f"{folder}{path.name}")
        elif not resolve(path).is_relative_to(root):
            raise UsageError(f"{name!r} lies outside {os.fspath(root)!r}: list photos of that folder only")
    return tuple(relative)


def device_of(path: str, devices: Mapping[str, int]) -> int | None:
    """Return the number of the device that ``path`` lies on, None when it is not known.

    Args:
        path: relative to the folder of photographs; that of a folder ends in a slash.
        devices: as ``Walk.devices``.
    """
    while path and path not in devices:
        path = path.removesuffix("/")
        path = path[: path.rfind("/") + 1]
    return devices.get(path)


def ending_of(name: str) -> str:
    """Return the ending of a file name in lower case, "" when it has none.

    >>> ending_of("A.JPG"), ending_of("notes"), ending_of("Mr. Smith")
    ('.jpg', '', '')
    """
    ending = PurePosixPath(name).suffix.lower()
    return ending if len(ending) <= _MAX_ENDING and not any(map(str.isspace, ending)) else ""


def is_hidden(name: str) -> bool:
    """Return whether files and folders of this name are always passed over."""
    return name.startswith(".") or name.lower() in _SYSTEM_FOLDERS


def is_excluded(path: str, patterns: Iterable[Patterns]) -> bool:
    """Return whether the first of ``patterns`` that says anything of ``path`` excludes it."""
    verdicts = (each.verdict(path) for each in patterns)
    return next((verdict for verdict in verdicts if verdict is not None), False)


def lies_in(root: Path, path: str) -> bool:
    """Return whether there is anything at ``path`` in ``root``."""
    try:
        (root / path).lstat()
    except OSError:
        return False
    return True


class _Folder(NamedTuple):
    path: str  # relative to the root, "" or with a slash at its end
    patterns: tuple[Patterns, ...]  # of the folders above it, the nearest first


class _Walker:
    """One walk: the rules, and the result so far."""

    def __init__(self, root: Path, rules: WalkRules, step: Callable[[], None]) -> None:
        self.walk = Walk(is_complete=rules.only is None, exists=partial(lies_in, root))
        self._root = root
        self._step = step
        self._follow = rules.follow
        self._exclude = Patterns("", rules.exclude)
        self._patterns: dict[str, tuple[Patterns, ...]] = {}  # of the ignore file in a folder, if it has one
        self._visited: set[tuple[int, int]] = set()  # folders, by device and inode

    def walk_all(self) -> None:
        """Walk the whole tree; a folder is visited under its own path before any link to it."""
        pending, pending_links = [_Folder("", ())], deque[_Folder]()
        while pending or pending_links:
            folder = pending.pop() if pending else pending_links.popleft()
            self._step()
            try:
                if self._was_visited(folder.path):
                    continue
                patterns = (*self._patterns_in(folder.path), *folder.patterns)
                with os.scandir(self._root / folder.path) as entries:
                    listed = sorted(entries, key=lambda entry: entry.name)
            except (OSError, ValueError) as error:
                self._fail(folder.path, error)
                continue
            below = [_Folder(path, patterns) for path in self._add_photos(listed, folder.path, patterns)]
            links = [each for each in below if self._follow and self._is_link(each.path)]
            pending_links.extend(links)
            pending.extend(each for each in reversed(below) if each not in links)

    def add_listed(self, path: str) -> None:
        """Add the file at ``path`` unless it is excluded; it fails when it is missing."""
        self._step()
        folder = ""
        *parents, name = PurePosixPath(path).parts
        try:
            (self._root / path).lstat()
            patterns: tuple[Patterns, ...] = self._patterns_in("")
            for parent in parents:
                folder += f"{parent}/"
                is_link = self._is_link(folder) and not self._follow
                if is_link or is_hidden(parent) or self._is_excluded(folder, patterns):
                    self.walk.passed_over[ending_of(name)] += 1
                    return
                patterns = (*self._patterns_in(folder), *patterns)
            if (self._root / path).is_dir():
                return
        except (OSError, ValueError) as error:
            self._fail(path, error)
            return
        if is_hidden(name) or self._is_excluded(path, patterns):
            self.walk.passed_over[ending_of(name)] += 1
        else:
            self._add(path)

    def _add_photos(
        self, entries: Iterable[os.DirEntry[str]], folder: str, patterns: tuple[Patterns, ...]
    ) -> list[str]:
        """Add the photographs among ``entries`` of ``folder``, and return the folders to visit."""
        folders = []
        for entry in entries:
            self._step()
            path = f"{folder}{entry.name}"
            if is_hidden(entry.name):
                continue
            if self._is_folder(entry):
                if not self._is_excluded(f"{path}/", patterns):
                    folders.append(f"{path}/")
            elif not self._is_excluded(path, patterns):
                self._add(path)
        return folders

    def _add(self, path: str) -> None:
        """Add the file at ``path`` if it is regular, still there, and a photograph by name or content."""
        is_named_so = Path(path).suffix.lower() in SUFFIXES
        try:
            status = (self._root / path).stat(follow_symlinks=self._follow)
        except OSError as error:
            if not isinstance(error, FileNotFoundError) or self._is_link(path):
                if is_named_so:
                    self._fail(path, error)
                else:
                    self.walk.passed_over[ending_of(path)] += 1
            return
        if not stat.S_ISREG(status.st_mode):
            self.walk.passed_over[LINK if stat.S_ISLNK(status.st_mode) else SPECIAL] += 1
        elif is_named_so or is_picture(self._root / path):
            self.walk.files.append(PhotoFile.from_stat(path, status))
        else:
            self.walk.passed_over[ending_of(path)] += 1

    def _fail(self, path: str, error: OSError | ValueError) -> None:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        if not path:
            is_wrong = isinstance(error, (ValueError, FileNotFoundError, NotADirectoryError))
            kind = UsageError if is_wrong else GalleryUnreadableError
            raise kind(f"cannot list {self._root}: {reason}") from error
        self.walk.failed.append(Failed(PhotoFile(path, 0, NEVER), reason))

    def _patterns_in(self, folder: str) -> tuple[Patterns, ...]:
        """Return the patterns of the ignore file in ``folder``.

        Raises:
            OSError: it cannot be read.
            ValueError: it holds an invalid pattern.
        """
        if folder not in self._patterns:
            file = self._root / folder / IGNORE_FILE
            lines = ignore_lines(file.read_bytes()) if file.is_file() else []
            try:
                self._patterns[folder] = (Patterns(folder, lines),) if lines else ()
            except ValueError as error:
                raise ValueError(f"{IGNORE_FILE}: {error}") from error
        return self._patterns[folder]

    def _is_excluded(self, path: str, patterns: Iterable[Patterns]) -> bool:
        return is_excluded(path, (self._exclude, *patterns))

    def _is_folder(self, entry: os.DirEntry[str]) -> bool:
        try:
            return entry.is_dir(follow_symlinks=self._follow)
        except OSError:  # links in a circle
            return False

    def _is_link(self, path: str) -> bool:
        try:
            return Path(self._root, path).is_symlink()
        except OSError:  # too long a path, a mount that is gone: whoever opens it meets the same
            return False

    def _was_visited(self, folder: str) -> bool:
        status = (self._root / folder).stat()
        if device_of(folder, self.walk.devices) != status.st_dev:
            self.walk.devices[folder] = status.st_dev
        if not self._follow:
            return False
        known = (status.st_dev, status.st_ino) in self._visited
        self._visited.add((status.st_dev, status.st_ino))
        return known
