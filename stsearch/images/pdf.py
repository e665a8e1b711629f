"""Pages of PDF files, rendered by PDFium."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from stsearch.errors import ImageError
from stsearch.types import Image

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument

_DPI, _POINTS = 200, 72
"""Pixels and units of a PDF in an inch: the pixels of a page are those of its scan at 200 dpi."""


def count_pages(encoded: bytes) -> int:
    """Return how many pages a PDF has.

    Raises:
        ImageError: it is damaged, or needs a password.
    """
    with _opened(encoded) as document:
        return len(document)


def page_size(encoded: bytes, page: int) -> tuple[int, int]:
    """Return height and width of a page, which is numbered from 1, in pixels at 200 dpi.

    Raises:
        ImageError: as ``count_pages``; or there is no such page.
    """
    with _opened(encoded) as document:
        width, height = document[page - 1].get_size()
        return _pixels(height), _pixels(width)


def render(encoded: bytes, page: int, scale: float = 1.0) -> Image:
    """Return a page as (H, W, 3) uint8 RGB, at ``scale`` times its size at 200 dpi.

    Raises:
        ImageError: as ``page_size``.
    """
    with _opened(encoded) as document:
        bitmap = document[page - 1].render(scale=scale * _DPI / _POINTS, rev_byteorder=True)
        return np.ascontiguousarray(bitmap.to_numpy()[:, :, :3])


def _pixels(points: float) -> int:
    return max(1, round(points * _DPI / _POINTS))


@contextmanager
def _opened(encoded: bytes) -> Iterator[PdfDocument]:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(encoded)
    except pypdfium2.PdfiumError as error:
        reason = "needs a password" if "assword" in str(error) else "damaged or truncated"
        raise ImageError(f"PDF: {reason}") from error
    try:
        yield document
    except (pypdfium2.PdfiumError, IndexError) as error:
        raise ImageError(f"PDF: a page cannot be shown ({error})") from error
    finally:
        document.close()
