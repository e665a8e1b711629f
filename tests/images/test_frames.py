"""frames.py and list_pages: pages of a file, and the frames of an animation that differ."""

from __future__ import annotations

import io

import PIL.Image
import PIL.ImageDraw
import pytest
from image_fixtures import camera_raw, encode, noise

from stsearch.errors import ImageError
from stsearch.images import decode_image, list_pages


def plain(colour: str) -> PIL.Image.Image:
    return PIL.Image.new("RGB", (64, 48), colour)


def captioned(x: int) -> PIL.Image.Image:
    picture = PIL.Image.new("RGB", (320, 200), "navy")
    PIL.ImageDraw.Draw(picture).text((x, 90), "HELLO", fill="white")
    return picture


def animation(kind: str, *frames: PIL.Image.Image) -> bytes:
    options = {"lossless": True} if kind == "WEBP" else {}
    return encode(frames[0], kind, save_all=True, append_images=frames[1:], duration=40, **options)


@pytest.mark.parametrize("kind", ["TIFF", "PDF"])
def test_every_page_is_read_in_its_own_pixels(kind: str) -> None:
    pages = [plain("red"), plain("lime"), plain("blue").resize((20, 90))]
    encoded = encode(pages[0], kind, save_all=True, append_images=pages[1:], resolution=200)
    assert list_pages(encoded) == (1, 2, 3)
    decoded = [decode_image(encoded, page=page) for page in (1, 2, 3)]
    assert [(each.height, each.width) for each in decoded] == [(48, 64), (48, 64), (90, 20)]
    assert [int(each.image[20, 10].argmax()) for each in decoded] == [0, 1, 2]


def test_smaller_copies_of_a_page_are_no_pages() -> None:
    buffer = io.BytesIO()
    tags = PIL.Image.Exif()
    tags[254] = 1
    small = plain("red").resize((16, 12))
    small.encoderinfo = {"exif": tags}
    plain("red").save(buffer, "TIFF", save_all=True, append_images=[small, plain("blue")])
    assert list_pages(buffer.getvalue()) == (1, 3)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_the_frames_of_an_animation_that_differ_are_looked_at(kind: str) -> None:
    blank = PIL.Image.new("RGB", (320, 200), "navy")
    almost = blank.copy()
    almost.putpixel((3, 3), (10, 10, 140))
    encoded = animation(kind, blank, almost, captioned(40), captioned(41), blank, captioned(200))
    pages = list_pages(encoded)
    assert pages[0] == 1
    assert set(pages) & {3, 4}
    assert 6 in pages
    assert not set(pages) & {2, 5}


def test_of_many_frames_the_eight_most_different_are_looked_at() -> None:
    frames = [noise((64, 48)).rotate(7 * number) for number in range(30)]
    assert len(list_pages(animation("GIF", *frames))) == 8


def test_a_caption_that_is_shown_once_in_a_long_animation_is_looked_at() -> None:
    frames = [PIL.Image.new("RGB", (320, 200), (0, 0, 100 + number % 3)) for number in range(120)]
    frames[77] = captioned(100)
    encoded = animation("WEBP", *frames)
    [_, page] = list_pages(encoded)
    assert (decode_image(encoded, page=page).image > 200).any()


@pytest.mark.parametrize(
    "encoded",
    [
        encode(plain("red"), "GIF"),
        encode(plain("red"), "MPO", save_all=True, append_images=[plain("blue")]),
        camera_raw(encode(plain("red"), "JPEG")),
    ],
    ids=["still", "stereo", "camera raw"],
)
def test_other_files_have_one_page(encoded: bytes) -> None:
    assert list_pages(encoded) == (1,)


@pytest.mark.parametrize("kind", ["GIF", "TIFF"])
def test_of_a_file_that_ends_early_the_pages_before_are_read_and_the_one_after_is_listed(kind: str) -> None:
    frames = [noise((64, 48)).rotate(40 * number) for number in range(5)]
    whole = encode(frames[0], kind, save_all=True, append_images=frames[1:])
    half = whole[: len(whole) // 2]
    pages = list_pages(half)
    assert pages[:2] == (1, 2)
    assert [decode_image(half, page=page).image.shape for page in (1, 2)] == [(48, 64, 3)] * 2
    with pytest.raises(ImageError):
        decode_image(half, page=pages[-1])
