"""formats.py: content says what a file is, and what is missing to read it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import PIL.Image
import pytest
from image_fixtures import camera_raw, encode, noise

from stsearch.errors import ImageRefusedError
from stsearch.images import decode_image, install_hint, is_picture

PHOTO = noise((40, 30))


@pytest.mark.parametrize(
    "kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "JPEG2000", "PPM", "AVIF", "MPO", "PDF"]
)
@pytest.mark.parametrize("name", ["photo.jpg_large", "photo", "photo.xyz"])
def test_a_picture_is_one_whatever_its_name(tmp_path: Path, kind: str, name: str) -> None:
    (tmp_path / name).write_bytes(encode(PHOTO, kind))
    assert is_picture(tmp_path / name)
    assert decode_image(tmp_path / name).image.ndim == 3


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"BMW is a car, and BM begins its name",
        b"P3 is a picture format, and this is text about it",
        b"P1 3 bananas, P2 4 apples",
        b"RIFF\0\0\0\0AVI LIST",
        b"\0\0\0\x18ftypisom\0\0\0\0isommp42",
        b"\x89PNG",
        b"PK\x03\x04",
    ],
)
def test_what_only_resembles_a_picture_is_none(content: bytes) -> None:
    assert not is_picture(content.ljust(64, b" "))


def test_what_cannot_be_opened_is_no_picture_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert not is_picture(tmp_path / "pipe")
    assert not is_picture(tmp_path / "absent")
    assert not is_picture(tmp_path)


@pytest.mark.parametrize(
    ("content", "ending", "module", "command"),
    [
        pytest.param(encode(PHOTO, "PDF"), ".pdf", "pypdfium2", "pip install 'stsearch[pdf]'", id="pdf"),
        pytest.param(
            camera_raw(encode(PHOTO, "JPEG")), ".DNG", "rawpy", "pip install 'stsearch[raw]'", id="raw"
        ),
    ],
)
def test_without_its_package_a_file_is_passed_over_with_the_command_that_installs_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: bytes,
    ending: str,
    module: str,
    command: str,
) -> None:
    path = tmp_path / f"file{ending}"
    path.write_bytes(content)
    assert (is_picture(path), install_hint(ending)) == (True, None)
    monkeypatch.setitem(sys.modules, module, None)
    assert (is_picture(path), install_hint(ending)) == (False, command)
    with pytest.raises(ImageRefusedError, match=r"pip install 'stsearch"):
        decode_image(path)


def test_a_scan_is_no_camera_raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rawpy", None)
    PIL.Image.new("L", (8, 8)).save(tmp_path / "scan.tif")
    assert is_picture(tmp_path / "scan.tif")
