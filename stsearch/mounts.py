"""The mounts of this computer: what kind of file system a folder lies on, and whether it may not answer."""

from __future__ import annotations

from pathlib import Path, PurePath

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


class Mounts:
    """The mounts of this computer, as they are now.

    Args:
        listing: in the form of ``/proc/self/mountinfo``; None: that of this process.
    """

    def __init__(self, listing: str | None = None) -> None:
        self._kinds = {}  # of file system, by the folder it is mounted on
        for line in (_read_listing() if listing is None else listing).splitlines():
            place, _, source = line.partition(" - ")
            fields = place.split(" ")
            if source and len(fields) > 4:
                self._kinds[PurePath(_unescape(fields[4]))] = source.split(" ")[0]

    def kind_of(self, path: Path) -> str:
        """Return the kind of file system, such as nfs4, under an absolute path without links; "": not known.

        The path is not looked at, which might take for ever.
        """
        return next((self._kinds[each] for each in (path, *path.parents) if each in self._kinds), "")

    def is_distant(self, path: Path) -> bool:
        """Return whether ``path`` lies on a network or user-space mount, whose other end may be gone.

        Whoever reads there may wait for ever.
        """
        return self.kind_of(path).startswith(_DISTANT)


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
