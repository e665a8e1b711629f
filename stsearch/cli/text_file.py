"""Files of text that a user asked for by name: a sheet, a report."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from stsearch.errors import WriteError
from stsearch.gallery.atomic_files import replacing


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to the file at ``path``, which is whole afterwards, or stays as it was.

    A link, a device or a pipe, such as /dev/stdout, is not replaced but written to.

    Raises:
        WriteError: the disk is full, or the folder may not be written to.
    """
    try:
        in_place = path.is_symlink() or path.is_char_device() or path.is_fifo()
        with nullcontext(path) if in_place else replacing(path, mode=0o666) as place:
            place.write_text(text, encoding="utf-8")
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror or error}") from error
