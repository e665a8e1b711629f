"""metadata.py: megabytes of metadata cost neither the picture nor minutes."""

from __future__ import annotations

import struct
import zlib

import pytest
from image_fixtures import encode, noise

from stsearch.errors import ImageError
from stsearch.images import decode_image
from stsearch.images.metadata import without_ballast

PHOTO = noise((64, 48))


def png_with(kind: bytes, body: bytes, at: int) -> bytes:
    """Return a PNG with one more chunk, before (1) or behind (2) its pixels."""
    encoded = encode(PHOTO)
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    place = encoded.index(b"IDAT") - 4 if at == 1 else encoded.index(b"IEND") - 4
    return encoded[:place] + chunk + encoded[place:]


@pytest.mark.parametrize("at", [1, 2], ids=["before the pixels", "behind the pixels"])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        pytest.param(b"iTXt", b"a\0\1\0\0\0" + zlib.compress(bytes(3_000_000)), id="compressed text"),
        pytest.param(b"zTXt", b"a\0\0" + zlib.compress(bytes(3_000_000)), id="zTXt"),
        pytest.param(b"iCCP", b"a\0\0" + zlib.compress(bytes(4_000_000)), id="profile"),
    ],
)
def test_a_png_with_megabytes_of_text_or_profile_is_read(kind: bytes, body: bytes, at: int) -> None:
    assert (decode_image(png_with(kind, body, at)).image == decode_image(encode(PHOTO)).image).all()


def test_a_jpeg_keeps_its_exif_and_loses_megabytes_of_other_segments() -> None:
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    small = encode(PHOTO, "JPEG", exif=exif)
    segment = b"\xff\xe1\xff\xffExif\0\0" + bytes(65_527)
    place = small.index(b"\xff\xdb")
    large = small[:place] + segment * 300 + small[place:]
    assert len(without_ballast(large, "JPEG")) <= len(small)
    assert decode_image(large).image.shape == (64, 48, 3)  # turned, as its first EXIF says
    assert (decode_image(large).image == decode_image(small).image).all()


@pytest.mark.parametrize(
    ("kind", "part", "before"),
    [
        ("JPEG", b"\xff\xe1\0\x02", b"\xff\xdb"),
        ("JPEG", b"\xff", b"\xff\xdb"),
        ("PNG", b"\0\0\0\0teSt\xef\xf1W\xf7", b"\0\0\0\0IEND"),
    ],
)
def test_hundreds_of_thousands_of_segments_are_no_picture(kind: str, part: bytes, before: bytes) -> None:
    encoded = encode(PHOTO, kind)
    place = encoded.index(before)
    with pytest.raises(ImageError, match="damaged: more than 100000"):
        decode_image(encoded[:place] + 200_000 * part + encoded[place:])


def test_what_follows_a_png_is_not_taken_for_chunks_of_it() -> None:
    padded = encode(PHOTO) + bytes(2_000_000)
    assert (decode_image(padded).image == decode_image(encode(PHOTO)).image).all()


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("length", [0, 1, 3, 9, 30, 200])
def test_what_is_cut_off_is_left_to_the_decoder(kind: str, length: int) -> None:
    assert without_ballast(encode(PHOTO, kind)[:length], kind) == encode(PHOTO, kind)[:length]
