"""What is kept of the letters of a word, as the bytes that are stored, in a folder as in a database."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

_MAX_POSTERIORS = 1 << 17  # bytes: 3,500 frames, where a long word has a hundred
_CONFIDENCES = tuple(byte / 255 for byte in range(256))


def pack_characters(confidences: Iterable[float]) -> bytes:
    """Return the confidences of the characters of a word, in [0, 1], as a byte each."""
    return bytes(round(255 * confidence) for confidence in confidences)


def unpack_characters(stored: bytes) -> tuple[float, ...]:
    """Return the confidences that ``pack_characters`` stored.

    >>> unpack_characters(pack_characters([1, 0.2]))
    (1.0, 0.2)
    """
    return tuple(map(_CONFIDENCES.__getitem__, stored))


def pack_posteriors(posteriors: bytes) -> bytes:
    """Return the CTC posteriors of a word as they are stored: compressed, or nothing at all."""
    return zlib.compress(posteriors) if posteriors else b""


def unpack_posteriors(stored: bytes) -> bytes:
    """Return the CTC posteriors that ``pack_posteriors`` stored.

    Raises:
        ValueError: they cannot be unpacked, are empty, or are longer than those of any word.
    """
    if not stored:
        return b""
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(stored, _MAX_POSTERIORS)
    except zlib.error as error:
        raise ValueError("its CTC posteriors cannot be unpacked") from error
    if not unpacker.eof:
        raise ValueError("its CTC posteriors are cut off, or longer than those of any word")
    if not unpacked:
        raise ValueError("its CTC posteriors are empty")
    return unpacked
