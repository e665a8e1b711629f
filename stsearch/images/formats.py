"""What a file is, by the bytes it begins with; its name says nothing about it.

Knows which formats are read, which of them need one more package, and which of them Pillow decodes. Opens no
picture.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import PIL.features

from stsearch.errors import ImageError, ImageRefusedError
from stsearch.images.camera_raw import is_camera_raw
from stsearch.images.files import read_beginning

PILLOW_DECODERS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "JPEG2000", "PPM")
"""The decoders of Pillow that are used beside those of HEIC and AVIF; others are never tried."""

HEADER_BYTES = 512
"""So many bytes from the beginning of a file say what it is."""

_NAMES = "JPEG, PNG, WEBP, TIFF, BMP, GIF, JPEG 2000, PPM, HEIC, AVIF, PDF, camera RAW"

_SPELLED = {"RAW": "camera RAW", "HEIF": "HEIC"}

# Formats that need a package which is not installed with stsearch: its module, and the extra that brings it.
_EXTRAS = {"PDF": ("pypdfium2", "pdf"), "RAW": ("rawpy", "raw")}
_EXTRA_ENDINGS = {".pdf": "PDF"} | dict.fromkeys(
    ".3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .fff .iiq .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf .raw .rw2"
    " .rwl .sr2 .srf .srw .x3f".split(),
    "RAW",
)

_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),  # of more than 4 GB
    (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),  # its bare codestream
    (b"FUJIFILMCCD-RAW", "RAW"),
    (b"IIRO", "RAW"),  # Olympus
    (b"IIRS", "RAW"),
    (b"MMOR", "RAW"),
    (b"IIU\0", "RAW"),  # Panasonic
    (b"FOVb", "RAW"),  # Sigma
    (b"\0MRM", "RAW"),  # Minolta
)
_BRANDS = {
    "AVIF": frozenset((b"avif", b"avis")),
    "HEIF": frozenset((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")),
    "RAW": frozenset((b"crx ",)),  # Canon
}
_MAX_BRANDS_BYTES = 256  # of a header that names its brands; real ones take 24 to 48
_BMP_HEADERS = frozenset((12, 16, 40, 52, 56, 64, 108, 124))  # bytes; "BM" alone begins many a text
_PPM = re.compile(rb"P(?:[1-6f]|F)\s(?:\s|#[^\n]*\n)*\d+(?:\s|#[^\n]*\n)+\d+\s")  # "P6", comments, the size


def sniff(header: bytes) -> str | None:
    """Return the format of a file that begins with ``header``, None when it is none that is read.

    >>> sniff(b"GIF89a"), sniff(b"P6 640 480 255 "), sniff(b"<svg/>")
    ('GIF', 'PPM', None)
    """
    for signature, name in _SIGNATURES:
        if header.startswith(signature):
            return name
    if header[:4] == b"RIFF" and header[8:12] == b"WEBP":
        return "WEBP"
    if header[:2] == b"BM" and int.from_bytes(header[14:18], "little") in _BMP_HEADERS:
        return "BMP"
    if header.startswith((b"%PDF-", b"\xef\xbb\xbf%PDF-")):
        return "PDF"
    if _PPM.match(header):
        return "PPM"
    brands = _brands(header)
    return next((name for name, known in _BRANDS.items() if brands & known), None)


def is_picture(source: Path | str | bytes) -> bool:
    """Return whether a file is read here: by its content, whatever its name.

    Args:
        source: its path, or the bytes that it begins with; ``HEADER_BYTES`` of them are enough.

    Returns:
        False also for a file that cannot be opened, is not regular, or needs a package that is missing.
    """
    if isinstance(source, bytes):
        name = sniff(source)
    else:
        try:
            name = sniff(read_beginning(Path(source), HEADER_BYTES))
            if name == "TIFF" and is_camera_raw(source):
                name = "RAW"
        except (OSError, ImageError):
            return False
    return name is not None and _missing_package(name) is None


def install_hint(ending: str) -> str | None:
    """Return the command after which files of this ending are read; None where nothing is missing for them.

    Args:
        ending: in any case, with its dot.
    """
    name = _EXTRA_ENDINGS.get(ending.lower())
    return None if name is None else _missing_package(name)


def check_header(header: bytes) -> None:
    """Refuse a file that begins with ``header``, of which ``HEADER_BYTES`` are enough.

    Raises:
        ImageError: it is no picture in a format that is read.
    """
    if not header:
        raise ImageError("the file is empty")
    if sniff(header[:HEADER_BYTES]) is None:
        raise ImageError(f"not a picture in a format that is read ({_NAMES})")


def recognize(encoded: bytes) -> str:
    """Return the format of the file with the bytes ``encoded``.

    Raises:
        ImageError: it is none that is read.
        ImageRefusedError: a package for it is missing.
    """
    check_header(encoded)
    name = sniff(encoded[:HEADER_BYTES]) or ""
    if name == "TIFF" and is_camera_raw(encoded):
        name = "RAW"
    if command := _missing_package(name):
        raise ImageRefusedError(f"{_SPELLED.get(name, name)} cannot be decoded yet: {command}")
    return name


def _missing_package(name: str) -> str | None:
    """Return the command that installs what reads the format ``name``; None where it is here."""
    if name == "AVIF" and not PIL.features.check("avif"):
        return "pip install --upgrade pillow"
    if name == "HEIF" and not _is_installed("pillow_heif"):
        return "pip install pillow-heif"
    module, extra = _EXTRAS.get(name, ("", ""))
    return None if not module or _is_installed(module) else f"pip install 'stsearch[{extra}]'"


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ValueError:  # None in sys.modules: imports of it are blocked
        return False


def _brands(header: bytes) -> frozenset[bytes]:
    """Return the brands in the header of a file of the HEIC, AVIF and MP4 family; none for other files."""
    if header[4:8] != b"ftyp":
        return frozenset()
    end = min(int.from_bytes(header[:4], "big"), _MAX_BRANDS_BYTES)
    return frozenset(header[start : start + 4] for start in (8, *range(16, end, 4)))
