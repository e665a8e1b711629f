"""Which folders lie on mounts whose other end may be gone, so that whoever reads there waits for ever."""

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

    def is_distant(self, path: Path) -> bool:
        """Return whether an absolute path without links lies on a network or user-space mount.

        The path is not looked at, which might take for ever.
        """
        above = next((each for each in (path, *path.parents) if each in self._kinds), None)
        return above is not None and self._kinds[above].startswith(_DISTANT)


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
