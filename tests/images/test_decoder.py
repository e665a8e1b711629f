"""What is read, what is refused and why, and coordinates on the way to model pixels and back."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from image_fixtures import STORED
from numpy.typing import NDArray

from stsearch.errors import ImageError, ImageRefusedError
from stsearch.images import Resize, decode_image, read_image
from stsearch.types import Image, Polygon


def encode(photo: PIL.Image.Image, kind: str = "PNG", **options: object) -> bytes:
    if kind == "HEIF":
        pillow_heif.register_heif_opener()
    buffer = io.BytesIO()
    photo.save(buffer, kind, **options)
    return buffer.getvalue()


def landscape() -> PIL.Image.Image:
    """A 96 x 64 picture: red top left quarter on blue."""
    photo = PIL.Image.new("RGB", (96, 64), (0, 0, 255))
    photo.paste((255, 0, 0), (0, 0, 48, 32))
    return photo


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
@pytest.mark.parametrize("orientation", STORED)
def test_every_exif_orientation_displays_the_same_picture(orientation: int, kind: str) -> None:
    turn = STORED[orientation]
    stored = landscape() if turn is None else landscape().transpose(turn)
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    # pillow-heif turns by the tag only when it is given as bytes
    decoded = decode_image(encode(stored, kind, exif=exif.tobytes() if kind == "HEIF" else exif))
    assert (decoded.height, decoded.width) == (64, 96)
    assert decoded.image.shape == (64, 96, 3)
    np.testing.assert_allclose(decoded.image[16, 24], (255, 0, 0), atol=12)
    np.testing.assert_allclose(decoded.image[48, 72], (0, 0, 255), atol=12)


@pytest.mark.parametrize(
    ("photo", "pixel"),
    [
        pytest.param(PIL.Image.new("L", (4, 4), 90), (90, 90, 90), id="grey"),
        pytest.param(PIL.Image.new("RGBA", (4, 4), (0, 0, 0, 0)), (255, 255, 255), id="alpha over white"),
        pytest.param(PIL.Image.new("LA", (4, 4), (0, 255)), (0, 0, 0), id="grey with opaque alpha"),
        pytest.param(PIL.Image.new("1", (4, 4), 1), (255, 255, 255), id="one bit"),
        pytest.param(PIL.Image.new("RGB", (4, 4), (9, 8, 7)).quantize(4), (9, 8, 7), id="palette"),
        pytest.param(PIL.Image.new("CMYK", (4, 4), (0, 255, 255, 0)), (255, 0, 0), id="cmyk"),
    ],
)
def test_colour_modes_become_rgb(photo: PIL.Image.Image, pixel: tuple[int, int, int]) -> None:
    kind = "TIFF" if photo.mode == "CMYK" else "PNG"
    assert read_image(encode(photo, kind))[1, 1].tolist() == list(pixel)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(np.array([[0, 4095], [0, 4095]], np.uint16), id="12 bits in 16"),
        pytest.param(np.array([[0.0, 1.0], [0.0, 1.0]], np.float32), id="float"),
        pytest.param(np.array([[-5, 70000], [-5, 70000]], np.int32), id="32 bits"),
    ],
)
def test_deep_grey_is_stretched_to_eight_bits(values: NDArray[np.float32]) -> None:
    image = read_image(encode(PIL.Image.fromarray(values), "TIFF"))
    assert image[0].tolist() == [[0, 0, 0], [255, 255, 255]]


def test_a_uniform_deep_image_is_black() -> None:
    assert read_image(encode(PIL.Image.fromarray(np.full((2, 2), 700, np.uint16)), "PNG")).max() == 0


def test_an_image_of_nan_is_refused() -> None:
    with pytest.raises(ImageError, match="not numbers"):
        read_image(encode(PIL.Image.fromarray(np.full((2, 2), np.nan, np.float32)), "TIFF"))


def test_an_animated_gif_gives_its_first_frame() -> None:
    frames = [PIL.Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    image = read_image(encode(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert image[4, 4].tolist() == [255, 0, 0]


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_long_photograph_is_shrunk_while_decoding_and_its_true_size_is_known(kind: str) -> None:
    decoded = decode_image(encode(PIL.Image.new("RGB", (1001, 403), "green"), kind), longer_side=400)
    assert decoded.image.shape == (161, 400, 3)
    assert (decoded.height, decoded.width) == (403, 1001)
    corner = decoded.to_original(np.array([[400.0, 161.0]], np.float32))
    np.testing.assert_allclose(corner, [[1001.0, 403.0]], rtol=1e-6)


def test_a_jpeg_four_times_too_long_is_decoded_close_to_the_full_decoding_shrunk() -> None:
    y, x = np.mgrid[:480, :640]
    smooth = np.stack([x % 256, y % 256, (x + y) % 256], axis=2).astype(np.uint8) // 2
    encoded = encode(PIL.Image.fromarray(smooth), "JPEG", quality=95)
    fast = decode_image(encoded, longer_side=160).image.astype(int)
    full = Resize(160).plan(480, 640).resize(read_image(encoded)).astype(int)
    assert np.abs(fast - full).mean() < 1.0


def test_a_small_photograph_is_not_enlarged() -> None:
    assert decode_image(encode(landscape(), "JPEG"), longer_side=400).image.shape == (64, 96, 3)


def huge_png() -> bytes:
    """A PNG of a few bytes whose header claims 50,000 x 50,000 pixels."""
    chunks = [b"IHDR" + struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0), b"IDAT" + zlib.compress(b"")]
    framed = [
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b"<svg/>", "not a picture", id="other format"),
        pytest.param(b"%PDF-1.7\n", "PDF: damaged", id="pdf"),
        pytest.param(encode(landscape(), "JPEG")[:400], "truncated", id="truncated"),
        pytest.param(encode(landscape(), "ICO"), "not a picture", id="outside the allow-list"),
        pytest.param(huge_png(), "2500 megapixels; the limit is 178", id="decompression bomb"),
    ],
)
def test_a_hostile_file_is_refused_with_its_reason(encoded: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        read_image(encoded)


def test_without_its_package_a_heic_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = encode(landscape(), "HEIF")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageRefusedError, match="HEIC cannot be decoded yet: pip install pillow-heif"):
        read_image(encoded)


def test_an_avif_is_refused_by_a_pillow_that_cannot_decode_it(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = encode(landscape(), "AVIF")
    monkeypatch.setattr("PIL.features.check", lambda feature: False)
    with pytest.raises(ImageRefusedError, match="AVIF cannot be decoded yet: pip install --upgrade pillow"):
        read_image(encoded)


def test_a_video_that_begins_like_a_heic_is_no_picture() -> None:
    with pytest.raises(ImageError, match="not a picture"):
        read_image(b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + bytes(64))


@pytest.mark.slow
def test_the_decoder_for_heic_is_not_loaded_for_other_formats(tmp_path: Path) -> None:
    landscape().save(tmp_path / "photo.png")
    script = (
        "import sys; from stsearch.images import read_image\n"
        f"read_image({str(tmp_path / 'photo.png')!r}); print('pillow_heif' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_when_a_photograph_was_taken_is_read_from_its_exif(kind: str) -> None:
    exif = PIL.Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = "2023:05:17 18:30:05"
    decoded = decode_image(encode(landscape(), kind, exif=exif.tobytes()))
    assert decoded.taken == "2023-05-17T18:30:05"


@pytest.mark.parametrize("clock", ["0000:00:00 00:00:00", "2023:13:45 10:00:00", "yesterday", ""])
def test_a_clock_that_was_never_set_says_nothing(clock: str) -> None:
    exif = PIL.Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = clock
    assert decode_image(encode(landscape(), "JPEG", exif=exif)).taken is None


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_exif_does_not_cost_the_picture() -> None:
    encoded = encode(landscape(), "JPEG", exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    assert read_image(encoded).shape == (64, 96, 3)


def test_errors_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(b"no picture")
    with pytest.raises(ImageError, match=r"broken\.jpg: not a picture"):
        read_image(path)
    with pytest.raises(ImageError, match=r"absent\.jpg: No such file"):
        read_image(tmp_path / "absent.jpg")


def test_a_path_is_read(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    landscape().save(path)
    assert read_image(path).shape == (64, 96, 3)


Spot = tuple[int, int, int, int, int, int]
"""Height and width of a picture, then left, top, right and bottom of a rectangle in it."""


@st.composite
def spots(draw: st.DrawFn) -> Spot:
    height, width = draw(st.integers(32, 200)), draw(st.integers(32, 200))
    left, top = draw(st.integers(0, width - 16)), draw(st.integers(0, height - 16))
    right, bottom = draw(st.integers(left + 16, width)), draw(st.integers(top + 16, height))
    return height, width, left, top, right, bottom


def picture(spot: Spot) -> Image:
    height, width, left, top, right, bottom = spot
    image = np.zeros((height, width, 3), np.uint8)
    image[top:bottom, left:right] = 255
    return image


def corners(image: Image) -> Polygon:
    """Return the top left and the bottom right corner of what is bright."""
    rows, columns = np.nonzero(image[:, :, 0] > 127)
    found = [[columns.min(), rows.min()], [columns.max() + 1, rows.max() + 1]]
    return np.array(found, np.float32)


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        pytest.param((100, 6000), (6000, 100), id="windows are small enough"),
        pytest.param((1000, 12000), (2400, 200), id="windows are shrunk"),
        pytest.param((12000, 1000), (200, 2400), id="a panorama"),
        pytest.param((1000, 2400), (400, 167), id="no windows"),
    ],
)
def test_an_elongated_photograph_is_shrunk_until_its_windows_fit(
    size: tuple[int, int], shape: tuple[int, int]
) -> None:
    longer_side = 640 if size[0] == 100 else 400
    decoded = decode_image(encode(PIL.Image.new("RGB", size, "green"), "PNG"), longer_side=longer_side)
    assert decoded.image.shape[:2] == shape
    assert (decoded.height, decoded.width) == (size[1], size[0])


@settings(deadline=None)
@given(spot=spots(), longer_side=st.integers(48, 400), multiple=st.sampled_from([1, 32]))
def test_what_is_seen_in_the_resized_picture_lies_there_in_the_picture(
    spot: Spot, longer_side: int, multiple: int
) -> None:
    height, width, *box = spot
    plan = Resize(longer_side, multiple).plan(height, width)
    seen = plan.inverse(corners(plan.forward(picture(spot))))
    pixel = max(1 / plan.scale_x, 1 / plan.scale_y)
    np.testing.assert_allclose(seen.reshape(-1), box, atol=pixel)


@settings(deadline=None)
@given(spot=spots(), longer_side=st.integers(48, 400))
def test_what_is_seen_in_a_photograph_shrunk_while_decoding_lies_there_in_the_photograph(
    spot: Spot, longer_side: int
) -> None:
    height, width, *box = spot
    decoded = decode_image(encode(PIL.Image.fromarray(picture(spot)), "BMP"), longer_side)
    pixel = max(1.0, max(height, width) / longer_side) + 0.05  # the sides are rounded to whole pixels
    np.testing.assert_allclose(decoded.to_original(corners(decoded.image)).reshape(-1), box, atol=pixel)


@settings(deadline=None)
@given(
    height=st.integers(1, 5000),
    width=st.integers(1, 5000),
    longer_side=st.integers(32, 2048),
    x=st.floats(0, 1, width=32),
    y=st.floats(0, 1, width=32),
)
def test_scale_and_inverse_undo_each_other(
    height: int, width: int, longer_side: int, x: float, y: float
) -> None:
    plan = Resize(longer_side).plan(height, width)
    point = np.array([[x * width, y * height]], np.float32)
    np.testing.assert_allclose(plan.inverse(plan.scale(point)), point, rtol=1e-5, atol=1e-3)


@settings(deadline=None)
@given(height=st.integers(1, 5000), width=st.integers(1, 5000), longer_side=st.integers(32, 2048))
def test_a_plan_pads_to_the_multiple_and_never_more(height: int, width: int, longer_side: int) -> None:
    plan = Resize(longer_side).plan(height, width)
    assert plan.padded_height % 32 == 0
    assert 0 <= plan.padded_height - plan.height < 32
    assert 0 <= plan.padded_width - plan.width < 32
    assert max(plan.height, plan.width) <= longer_side


def test_small_images_grow_to_at_most_twice_their_size() -> None:
    plan = Resize(1280).plan(100, 200)
    assert (plan.height, plan.width) == (200, 400)


@pytest.mark.parametrize(("height", "width"), [(64, 96), (20, 30), (1, 400)])
def test_forward_gives_the_planned_size_and_zeros_outside(height: int, width: int) -> None:
    plan = Resize(48).plan(height, width)
    image = plan.forward(np.full((height, width, 3), 200, np.uint8))
    assert image.shape == (plan.padded_height, plan.padded_width, 3)
    assert (image[: plan.height, : plan.width] == 200).all()
    assert not image[plan.height :].any()
    assert not image[:, plan.width :].any()
