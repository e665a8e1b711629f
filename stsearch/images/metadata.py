"""Files without the metadata that nothing here needs, of which there may be megabytes.

Pillow parses every text, profile and application segment of a picture before it looks at a pixel; some are so
large that it refuses, or takes minutes. Only EXIF of ordinary size is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from stsearch.errors import ImageError

_SMALL = 1 << 16  # bytes; so much metadata costs nothing, and EXIF in a JPEG has no more

_MAX_PARTS = 100_000  # segments or chunks, each of which takes a microsecond or more; pictures have dozens

_MARKERS_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))  # of a JPEG, without a length: TEM, RST, SOI
_SOS, _EOI, _COM = 0xDA, 0xD9, 0xFE
_PNG_SIGNATURE = 8  # bytes
_PNG_DROPPED = frozenset((b"iTXt", b"zTXt", b"tEXt", b"iCCP"))


def without_ballast(encoded: bytes, name: str) -> bytes:
    """Return the file with the bytes ``encoded``, of the format ``name``, without needless metadata."""
    strip = _STRIPPERS.get(name)
    return encoded if strip is None else strip(encoded)


def _strip_jpeg(encoded: bytes) -> bytes:
    kept = [encoded[:2]]
    end, has_exif = 2, False
    for marker, start, end in segments(encoded):
        body = encoded[start + 4 : start + 18]
        is_exif = marker == 0xE1 and body.startswith(b"Exif\0\0")
        is_needed = marker in (0xE0, 0xEE) or (is_exif and not has_exif)  # JFIF; Adobe's kind of colours
        has_exif = has_exif or is_exif
        if is_needed or not (0xE0 <= marker <= 0xEF or marker == _COM):
            kept.append(encoded[start:end])
    if sum(map(len, kept)) + _SMALL >= end:
        return encoded
    return b"".join((*kept, encoded[end:]))


def segments(encoded: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of the segments of a JPEG that lie before its pixels.

    Raises:
        ImageError: there are too many.
    """
    start, count = 2, 0
    while start + 4 <= len(encoded) and encoded[start] == 0xFF:
        count += 1
        if count > _MAX_PARTS:
            raise ImageError(f"damaged: more than {_MAX_PARTS} segments before its pixels")
        marker = encoded[start + 1]
        if marker in (_SOS, _EOI):
            return
        if marker == 0xFF or marker in _MARKERS_ALONE:  # filled up, or without a length
            start += 1 if marker == 0xFF else 2
            continue
        end = start + 2 + int.from_bytes(encoded[start + 2 : start + 4], "big")
        if end > len(encoded):
            return
        yield marker, start, end
        start = end


def _strip_png(encoded: bytes) -> bytes:
    kept, start, kept_from, count = [], _PNG_SIGNATURE, 0, 0
    while start + 8 <= len(encoded):
        count += 1
        if count > _MAX_PARTS:
            raise ImageError(f"damaged: more than {_MAX_PARTS} chunks")
        size, kind = int.from_bytes(encoded[start : start + 4], "big"), encoded[start + 4 : start + 8]
        end = start + 12 + size
        if kind == b"IEND":  # what follows is no part of the picture
            break
        if kind in _PNG_DROPPED or (kind == b"eXIf" and size > _SMALL):
            kept.append(encoded[kept_from:start])
            kept_from = end
        start = end
    return b"".join((*kept, encoded[kept_from:])) if kept else encoded


_STRIPPERS: dict[str, Callable[[bytes], bytes]] = {"JPEG": _strip_jpeg, "PNG": _strip_png}
