"""The process in which files are read and decoded that may take for ever; ``remote`` starts and asks it.

It keeps the last file it read, so that the pages of one are not read again for each.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from stsearch.errors import ImageError, ImageRefusedError
from stsearch.images.decoder import decode_image, list_pages
from stsearch.images.files import Content, read_content
from stsearch.images.formats import check_header
from stsearch.worker_process import Message, serve

_kept = Content("", b"")


def _answer(request: Message, _payload: bytes) -> tuple[Message, bytes]:
    """Return what one of the functions below answers, or its error."""
    arguments: dict[str, Any] = dict(request)  # Any: JSON has values of several types
    try:
        return _FUNCTIONS[arguments.pop("do")](**arguments)
    except OSError as error:
        return _refusal(error.strerror or str(error)), b""
    except MemoryError:
        return _refusal("there was not enough memory to decode it"), b""
    except ImageError as error:
        return _refusal(str(error), isinstance(error, ImageRefusedError)), b""


def _refusal(reason: str, is_for_now: bool = True) -> Message:
    return {"error": reason, "is_for_now": is_for_now}


def _read(path: str, max_bytes: int, max_kept: int) -> tuple[Message, bytes]:
    content = read_content(Path(path), check_header, max_bytes, max_kept)
    return {"sha256": content.sha256, "is_kept": content.encoded is not None}, content.encoded or b""


def _pages(path: str, sha256: str) -> tuple[Message, bytes]:
    return {"pages": list_pages(_encoded(path, sha256))}, b""


def _decode(
    path: str, sha256: str, longer_side: int, max_megapixels: float, page: int
) -> tuple[Message, bytes]:
    decoded = decode_image(_encoded(path, sha256), longer_side, max_megapixels, page)
    answer = {
        "shape": decoded.image.shape,
        "height": decoded.height,
        "width": decoded.width,
        "taken": decoded.taken,
        "note": decoded.note,
    }
    return answer, np.ascontiguousarray(decoded.image).tobytes()


def _encoded(path: str, sha256: str) -> bytes:
    """Return the bytes of the file that had this checksum when it was read first."""
    global _kept
    if _kept.sha256 != sha256:
        _kept = Content("", b"")  # two large files at once are one too many
        _kept = read_content(Path(path), check_header)
        if _kept.sha256 != sha256:
            raise ImageRefusedError("it changed while it was read")
    return _kept.encoded or b""


_FUNCTIONS: dict[object, Callable[..., tuple[Message, bytes]]] = {
    "read": _read,
    "pages": _pages,
    "decode": _decode,
}

if __name__ == "__main__":
    serve(_answer)
