"""Files of text that a user asked for by name: a sheet, a report."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from stsearch.errors import UsageError, WriteError
from stsearch.gallery.atomic_files import replacing

ELSEWHERE = "name a file on a disk that can be written to"
_GENERATOR = b'<meta name="generator" content="stsearch">'  # as in ``pages/templates/page.html``
_HEAD = 4096  # bytes of a page that hold it


def check_page(option: str, path: Path) -> None:
    """Refuse to write a page over a file that is none of ours, or into a folder that is not there.

    Args:
        option: that named the file.
        path: of the page.

    Raises:
        UsageError: what is there is something else, or cannot be looked at.
    """
    if not path.parent.is_dir():
        raise UsageError(f"{option} {path}: there is no folder {path.parent}; make it, or name another file")
    if path.is_dir():
        raise UsageError(f"{option} {path} is a folder: name a file in it, such as {path / 'hits.html'}")
    if path.is_file() and not _is_page(path):
        raise UsageError(f"{option} {path} is there already, and no page of stsearch: name another file")


def _is_page(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    return not head or _GENERATOR in head


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to the file at ``path``, which is whole afterwards, or stays as it was.

    A link, a device or a pipe, such as /dev/stdout, is not replaced but written to.

    Raises:
        WriteError: the disk is full, or the folder may not be written to.
    """
    try:
        in_place = path.is_symlink() or path.is_char_device() or path.is_fifo()
        with nullcontext(path) if in_place else replacing(path, 0o666, ELSEWHERE) as place:
            place.write_text(text, encoding="utf-8")
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror or error}") from error
