"""colour.py: transparent pictures on a ground that shows them, deep values, and strips."""

from __future__ import annotations

import io

import cv2
import numpy as np
import PIL.Image
import PIL.ImageDraw
import pytest
from image_fixtures import encode, noise

from stsearch.errors import ImageError
from stsearch.images import Resize, read_image
from stsearch.images import colour as colour_module
from stsearch.types import Image

WHITE, BLACK, YELLOW = (255, 255, 255), (0, 0, 0), (250, 230, 40)


def lettering(*colours: tuple[int, int, int]) -> PIL.Image.Image:
    """Return bars of ``colours`` on a transparent ground."""
    picture = PIL.Image.new("RGBA", (120, 60), (0, 0, 0, 0))
    draw = PIL.ImageDraw.Draw(picture)
    for number, colour in enumerate(colours):
        draw.rectangle((20 + 40 * number, 15, 40 + 40 * number, 45), fill=colour)
    return picture


def contrast(image: Image, x: int) -> int:
    """Return by how many levels the bar at ``x`` stands out from the ground."""
    return abs(int(image[30, x].max()) - int(image[2, 2].max()))


def as_kind(picture: PIL.Image.Image, kind: str) -> bytes:
    if kind == "grey and alpha":
        return encode(picture.convert("LA"))
    if kind == "palette":
        return encode(picture.quantize(8))
    return encode(picture, kind)


@pytest.mark.parametrize("kind", ["PNG", "grey and alpha", "palette", "GIF", "WEBP", "TIFF"])
@pytest.mark.parametrize("colour", [WHITE, BLACK])
def test_lettering_on_a_transparent_ground_stands_out_from_it(
    kind: str, colour: tuple[int, int, int]
) -> None:
    assert contrast(read_image(as_kind(lettering(colour), kind)), 30) > 200


def test_light_and_dark_lettering_are_both_laid_on_grey() -> None:
    image = read_image(encode(lettering(WHITE, BLACK)))
    assert min(contrast(image, 30), contrast(image, 70)) > 100


def test_bright_colours_count_as_light() -> None:
    image = read_image(encode(lettering(YELLOW)))
    assert image[2, 2].tolist() == [0, 0, 0]


def test_a_picture_with_few_transparent_corners_keeps_what_is_inside() -> None:
    picture = noise((60, 40)).convert("RGBA")
    picture.putpixel((0, 0), (0, 0, 0, 0))
    image = read_image(encode(picture))
    assert (image[5:, 5:] == np.asarray(picture)[5:, 5:, :3]).all()


def bmp_with_alpha(alpha: int) -> bytes:
    """Return a 32-bit BMP whose header names an alpha channel, and every fourth byte is ``alpha``."""
    pixels = np.full((6, 8, 4), (40, 120, 200, alpha), np.uint8)
    _, encoded = cv2.imencode(".bmp", pixels, [cv2.IMWRITE_BMP_COMPRESSION, 3])
    return bytes(encoded)


def test_a_bmp_whose_fourth_bytes_are_all_0_is_opaque() -> None:
    assert PIL.Image.open(io.BytesIO(bmp_with_alpha(0))).mode == "RGBA"
    assert read_image(bmp_with_alpha(0))[3, 3].tolist() == [200, 120, 40]


def test_three_floating_point_values_a_pixel_are_read() -> None:
    values = np.zeros((20, 30, 3), np.float32)
    values[5:15, 5:25] = (0.2, 0.6, 1.0)  # OpenCV's order: blue first
    image = read_image(bytes(cv2.imencode(".tif", values)[1]))
    assert image[10, 10].tolist() == [255, 153, 51]


def test_a_tiff_of_a_kind_that_nothing_opens_is_named_for_it() -> None:
    encoded = bytearray(cv2.imencode(".tif", np.zeros((20, 30, 3), np.float32))[1])
    compression = encoded.index(b"\x03\x01\x03\0\x01\0\0\0") + 8
    encoded[compression] = 99
    with pytest.raises(ImageError, match="a TIFF of 3 x 32-bit floating-point values, which is not read"):
        read_image(bytes(encoded))


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "RGBA", "I;16"])
def test_a_picture_converted_in_strips_is_the_same_as_one_converted_whole(
    monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    if mode == "I;16":
        photo = PIL.Image.fromarray(np.arange(50 * 70, dtype=np.uint16).reshape(50, 70))
    else:
        photo = noise((70, 50)).convert(mode)
    encoded = encode(photo)
    whole = read_image(encoded)
    monkeypatch.setattr(colour_module, "_STRIP", 70 * 7)
    assert (read_image(encoded) == whole).all()


def test_a_picture_reduced_while_it_is_converted_is_as_if_it_were_shrunk_afterwards() -> None:
    y, x = np.mgrid[:600, :800]
    smooth = PIL.Image.fromarray(np.stack([x % 256, y % 256, (x + y) % 256], 2).astype(np.uint8) // 2)
    reduced = colour_module.to_rgb(smooth, 4).astype(int)
    shrunk = Resize(200).plan(600, 800).resize(np.asarray(smooth)).astype(int)
    assert reduced.shape == (150, 200, 3)
    assert np.abs(reduced - shrunk).max() <= 1
