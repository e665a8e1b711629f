"""The mounts of this computer: what kind of file system a folder lies on, and whether it may not answer."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from stsearch.errors import GalleryUnreadableError

_MOUNTS = Path("/proc/self/mountinfo")  # of Linux; elsewhere every mount counts as local
_DISTANT = (
    "nfs",
    "cifs",
    "smb",
    "fuse",
    "9p",
    "afs",
    "ceph",
    "davfs",
    "ncp",
    "lustre",
    "gluster",
    "virtiofs",
)


_ANSWER_S = 20.0  # the disk of a network drive may have to start up first
_ASK = "import os, sys; os.statvfs(sys.argv[1])"  # which the kernel knows no answer to by itself
_REMEMBERED_S = 60.0

_asked: dict[Path, tuple[float, bool]] = {}
"""When mounts were asked last, and whether they answered."""


class Mounts:
    """The mounts of this computer, as they are now.

    Args:
        listing: in the form of ``/proc/self/mountinfo``; None: that of this process.
    """

    def __init__(self, listing: str | None = None) -> None:
        self._kinds: dict[Path, str] = {}  # of file system, by the folder it is mounted on
        for line in (_read_listing() if listing is None else listing).splitlines():
            place, _, source = line.partition(" - ")
            fields = place.split(" ")
            if source and len(fields) > 4:
                self._kinds[Path(_unescape(fields[4]))] = source.split(" ")[0]

    def kind_of(self, path: Path) -> str:
        """Return the kind of file system, such as nfs4, under an absolute path without links; "": not known.

        The path is not looked at, which might take for ever.
        """
        mount = self.mount_of(path)
        return "" if mount is None else self._kinds[mount]

    def mount_of(self, path: Path) -> Path | None:
        """Return the folder on which the file system of an absolute path without links is mounted."""
        return next((each for each in (path, *path.parents) if each in self._kinds), None)

    def is_distant(self, path: Path) -> bool:
        """Return whether ``path`` lies on a network or user-space mount, whose other end may be gone.

        Whoever reads there may wait for ever.
        """
        return self.kind_of(path).startswith(_DISTANT)

    def has_distant(self, folder: Path) -> bool:
        """Return whether something in ``folder``, or that itself, lies on such a mount."""
        below = (kind for mount, kind in self._kinds.items() if mount.is_relative_to(folder))
        return self.is_distant(folder) or any(kind.startswith(_DISTANT) for kind in below)


def check_answers(path: Path, timeout_s: float = _ANSWER_S) -> None:
    """Refuse a path on a network or user-space mount whose other end is gone; others are not looked at.

    Whoever waits for such a mount can neither be interrupted nor killed, so that is left to another process.

    Raises:
        GalleryUnreadableError: it does not answer in ``timeout_s``.
    """
    mounts, place = Mounts(), _without_dots(path.absolute())
    mount = mounts.mount_of(place)
    if mount is not None and mounts.is_distant(place) and not _answers(mount, timeout_s):
        raise GalleryUnreadableError(f"{mount} does not answer: is the share connected?")


def _answers(mount: Path, timeout_s: float) -> bool:
    when, answer = _asked.get(mount, (-_REMEMBERED_S, True))
    if time.monotonic() - when < _REMEMBERED_S:
        return answer
    asking = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _ASK, mount],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        asking.wait(timeout_s)
        answer = True  # an error is one, too
    except subprocess.TimeoutExpired:
        answer = False
    finally:
        asking.kill()
        with suppress(subprocess.TimeoutExpired):  # the kernel holds it until the mount is back
            asking.wait(1.0)
    _asked[mount] = time.monotonic(), answer
    return answer


def _without_dots(path: Path) -> Path:
    """Return an absolute path without "..", as it is spelled: to resolve links is to look at them."""
    parts: list[str] = []
    for part in path.parts[1:]:
        if part == "..":
            parts = parts[:-1]
        else:
            parts.append(part)
    return Path(path.anchor, *parts)


def _unescape(path: str) -> str:
    r"""Return ``path`` as it is spelled; the kernel writes a space as ``\040``."""
    for code in (r"\040", r"\011", r"\012", r"\134"):
        path = path.replace(code, chr(int(code[1:], 8)))
    return path


def _read_listing() -> str:
    try:
        return _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
