"""pdf.py and camera_raw.py: rendered pages and the previews of cameras."""

from __future__ import annotations

import PIL.Image
import pytest
from image_fixtures import camera_raw, encode

from stsearch.errors import ImageError, ImageRefusedError
from stsearch.images import decode_image
from stsearch.images.camera_raw import preview

RED = PIL.Image.new("RGB", (1200, 800), (220, 20, 20))


def test_a_page_of_a_pdf_has_the_pixels_of_a_scan_at_200_dpi() -> None:
    decoded = decode_image(encode(RED, "PDF", resolution=100), longer_side=480)
    assert (decoded.height, decoded.width) == (1600, 2400)
    assert decoded.image.shape == (320, 480, 3)
    assert decoded.image[100, 100].tolist() == pytest.approx([220, 20, 20], abs=12)


def test_a_page_of_a_pdf_that_is_too_large_is_refused_before_it_is_rendered() -> None:
    with pytest.raises(ImageRefusedError, match="2400 x 1600 is 4 megapixels; the limit is 3"):
        decode_image(encode(RED, "PDF", resolution=100), max_megapixels=3)


def test_a_damaged_pdf_is_named_as_one() -> None:
    with pytest.raises(ImageError, match="PDF: damaged"):
        decode_image(encode(RED, "PDF")[:300])


def test_camera_raw_is_shown_by_its_preview() -> None:
    decoded = decode_image(camera_raw(encode(RED, "JPEG")))
    assert (decoded.height, decoded.width) == (800, 1200)
    assert decoded.image[400, 600].tolist() == pytest.approx([220, 20, 20], abs=8)


def test_the_preview_is_turned_as_the_camera_was() -> None:
    left_is_white = RED.copy()
    left_is_white.paste("white", (0, 0, 600, 800))
    image = decode_image(camera_raw(encode(left_is_white, "JPEG"), orientation=6)).image
    assert image.shape == (1200, 800, 3)
    assert image[100, 400].min() > 200
    assert image[1100, 400].min() < 60


def test_a_preview_in_which_words_are_lost_gives_way_to_the_sensor() -> None:
    assert decode_image(camera_raw(encode(RED.resize((160, 120)), "JPEG"))).image.shape == (24, 32, 3)


def test_camera_raw_of_an_unknown_kind_is_named_in_words() -> None:
    with pytest.raises(ImageError, match="camera RAW that cannot be read: Unsupported file format"):
        preview(b"II*\0" + bytes(4000))
