"""Files that a folder of photographs may hold and a decoder may choke on, made from nothing."""

from __future__ import annotations

import io
import os
import random
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import PIL.Image
import pillow_heif
from numpy.typing import NDArray

from stsearch.indexing.walk import SUFFIXES

READ = ""
"""Stands for no reason: the file can be read."""

FAILED = "any"
"""Stands for any reason."""

EITHER = "either"
"""Stands for any reason or none: decoders differ in what they forgive."""


class Hostile(NamedTuple):
    """A file, and what is to become of it."""

    name: str
    content: bytes
    reason: str  # part of why it cannot be read, or one of the above


ENDINGS = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "WEBP": ".webp",
    "TIFF": ".tif",
    "BMP": ".bmp",
    "GIF": ".gif",
    "HEIF": ".heic",
    "AVIF": ".avif",
}


def hostile_files() -> list[Hostile]:
    """Return all of them, each under a name of its own."""
    makers = (truncated, corrupted, unusual, odd_metadata, too_large, no_photographs, odd_names)
    return [file for maker in makers for file in maker()]


def noise(mode: str = "RGB", size: tuple[int, int] = (64, 48)) -> PIL.Image.Image:
    """Return a photograph that compresses badly, so that a part of the file is a part of the picture."""
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return PIL.Image.fromarray(pixels).convert(mode)


def encode(photo: PIL.Image.Image, kind: str, **options: object) -> bytes:
    if kind == "HEIF":
        pillow_heif.register_heif_opener()
    buffer = io.BytesIO()
    photo.save(buffer, kind, **options)
    return buffer.getvalue()


def truncated() -> Iterator[Hostile]:
    for kind, ending in ENDINGS.items():
        whole = encode(noise(), kind)
        yield Hostile(f"empty{ending}", b"", "the file is empty")
        yield Hostile(f"first-1{ending}", whole[:1], "not a picture")
        for length in (4, 11, 24):
            yield Hostile(f"first-{length}{ending}", whole[:length], FAILED)
        for percent in (20, 50, 80):
            reason = READ if kind == "JPEG" and percent > 20 else "damaged or truncated"
            yield Hostile(f"cut-{percent}{ending}", whole[: len(whole) * percent // 100], reason)
        yield Hostile(f"last-byte-missing{ending}", whole[:-1], EITHER)


def corrupted(of_each: int = 3) -> Iterator[Hostile]:
    """Yield so many files of each kind, in which some bytes are others."""
    generator = random.Random(0)
    for kind, ending in ENDINGS.items():
        for number in range(of_each):
            content = bytearray(encode(noise(), kind))
            for position in generator.sample(range(8, len(content)), 20):
                content[position] = generator.randrange(256)
            yield Hostile(f"corrupted-{number}{ending}", bytes(content), EITHER)


def unusual() -> Iterator[Hostile]:
    """Yield what is rare and in order."""
    frames = [noise(), noise().rotate(180)]
    for kind in ("GIF", "WEBP", "PNG", "TIFF"):
        animated = encode(frames[0], kind, save_all=True, append_images=frames[1:])
        yield Hostile(f"animated{ENDINGS[kind]}", animated, READ)
    for mode in ("L", "LA", "1", "P", "RGBA", "I;16", "F", "CMYK", "YCbCr", "LAB"):
        photo = noise("L").convert(mode) if mode in ("I;16", "F") else noise(mode)
        if mode in ("L", "LA", "1", "P", "RGBA", "I;16"):
            yield Hostile(f"mode-{mode}.png", encode(photo, "PNG"), READ)
        yield Hostile(f"mode-{mode}.tif", encode(photo, "TIFF"), READ)
    cmyk = encode(noise("CMYK"), "JPEG")
    yield Hostile("cmyk.jpg", cmyk, READ)
    yield Hostile("ycck.jpg", with_adobe_transform(cmyk, 2), READ)
    yield Hostile("progressive.jpg", encode(noise(), "JPEG", progressive=True), READ)
    deep = np.random.default_rng(0).integers(0, 65536, (48, 64, 3), np.uint16)
    yield Hostile("deep.png", encode_deep(deep, ".png"), READ)
    yield Hostile("deep-grey.png", encode_deep(deep[:, :, 0], ".png"), READ)
    yield Hostile("see-through.gif", encode(noise("P"), "GIF", transparency=0), READ)
    yield Hostile("one-pixel.png", encode(noise(size=(1, 1)), "PNG"), READ)
    yield Hostile("line.png", encode(noise(size=(5000, 1)), "PNG"), READ)
    yield Hostile("pole.jpg", encode(noise(size=(1, 5000)), "JPEG"), READ)
    yield Hostile("not-a-number.tif", encode(PIL.Image.new("F", (8, 8), float("nan")), "TIFF"), "not numbers")
    yield Hostile("appendix.jpg", encode(noise(), "JPEG") + b"\0" * 5000, READ)


def with_adobe_transform(encoded: bytes, transform: int) -> bytes:
    place = encoded.index(b"Adobe") + len("Adobe") + 6
    return encoded[:place] + bytes([transform]) + encoded[place + 1 :]


def encode_deep(pixels: NDArray[np.uint16], ending: str) -> bytes:
    _, encoded = cv2.imencode(ending, pixels)
    return encoded.tobytes()


def odd_metadata() -> Iterator[Hostile]:
    for number, exif in enumerate(
        (
            b"",
            b"Exif\0\0",
            b"Exif\0\0MM\0*\xff\xff\xff\xff",
            b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
            b"\xff" * 500,
        )
    ):
        yield Hostile(f"exif-{number}.jpg", encode(noise(), "JPEG", exif=exif), READ)
    for orientation in (0, 9, 65535):
        tags = PIL.Image.Exif()
        tags[0x0112] = orientation
        yield Hostile(f"orientation-{orientation}.jpg", encode(noise(), "JPEG", exif=tags), READ)
    for kind in ("JPEG", "PNG", "WEBP", "TIFF"):
        yield Hostile(f"icc{ENDINGS[kind]}", encode(noise(), kind, icc_profile=b"no profile"), READ)


def too_large() -> Iterator[Hostile]:
    limit = "megapixels; the limit is"
    header = b"IHDR" + struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    chunks = (header, b"IDAT" + zlib.compress(bytes(4_000_000)))
    png = b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )
    yield Hostile("bomb.png", b"\x89PNG\r\n\x1a\n" + png, limit)
    yield Hostile(
        "bomb.gif", b"GIF89a" + struct.pack("<HH", 60_000, 60_000) + encode(noise(), "GIF")[10:], limit
    )
    bmp = encode(noise(), "BMP")
    yield Hostile("bomb.bmp", bmp[:18] + struct.pack("<ii", 50_000, 50_000) + bmp[26:], limit)


def no_photographs() -> Iterator[Hostile]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("photo.jpg", encode(noise(), "JPEG"))
    others = {
        "zip": archive.getvalue(),
        "html": b"<!DOCTYPE html><title>404 Not Found</title>",
        "text": "Grüße".encode(),
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "mp4": b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + bytes(64),
        "ico": encode(noise(), "ICO"),
        "zeros": bytes(4096),
    }
    for name, content in others.items():
        for ending in (".jpg", ".png"):
            yield Hostile(f"{name}{ending}", content, "not a picture")
    yield Hostile("broken-pdf.jpg", b"%PDF-1.7\n1 0 obj\n", "PDF: damaged")
    for kind in ("PPM", "JPEG2000"):
        yield Hostile(f"{kind}.jpg", encode(noise(), kind), READ)
    for ending in sorted(SUFFIXES):
        yield Hostile(f"a-png{ending}", encode(noise(), "PNG"), READ)


def odd_names() -> Iterator[Hostile]:
    names = (
        b"\x1b[31m",
        b"a\nb",
        b"tab\t",
        b"\xff\xfe",
        b"caf\xe9",
        b"-rf",
        b"%s{0}",
        "\u202egpj".encode(),
        b" ",
    )
    for name in names:
        yield Hostile(f"{os.fsdecode(name)}.png", encode(noise(), "PNG"), READ)
        yield Hostile(f"{os.fsdecode(name)}.jpg", b"nothing", "not a picture")
