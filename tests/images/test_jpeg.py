"""jpeg.py: a JPEG that ends early is read as far as it goes, and said to be incomplete."""

from __future__ import annotations

import numpy as np
import PIL.Image
import pytest
from image_fixtures import encode, noise, slow_jpeg

from stsearch.errors import ImageError
from stsearch.images import decode_image
from stsearch.images.jpeg import count_scans

PHOTO = noise((160, 240))


@pytest.mark.parametrize("missing", [1, 2])
@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=["baseline", "progressive"])
def test_a_lost_end_marker_alone_is_nothing(missing: int, options: dict[str, object]) -> None:
    whole = encode(PHOTO, "JPEG", **options)
    decoded = decode_image(whole[:-missing])
    assert decoded.note is None
    assert (decoded.image == decode_image(whole).image).all()


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_baseline_jpeg_shows_its_first_rows_and_says_how_many(share: float) -> None:
    whole = encode(PHOTO, "JPEG")
    decoded = decode_image(whole[: int(share * len(whole))])
    rows = int((share - 0.05) * 240)
    assert (decoded.image[:rows] == decode_image(whole).image[:rows]).all()
    percent = int(decoded.note.removeprefix("incomplete: it ends after ").partition("%")[0])  # type: ignore[union-attr]  # fails where it is None
    assert abs(percent - 100 * share) < 7


def test_a_progressive_jpeg_shows_all_rows_and_says_that_details_are_missing() -> None:
    whole = encode(PHOTO, "JPEG", progressive=True)
    decoded = decode_image(whole[: int(0.7 * len(whole))])
    assert decoded.note == "incomplete: its last details are missing"
    error = np.abs(decoded.image.astype(int) - decode_image(whole).image).mean(axis=(1, 2))
    assert error.max() < 60


def test_what_is_missing_is_found_in_a_photograph_that_is_decoded_at_a_part_of_its_size() -> None:
    whole = encode(noise((1200, 900)), "JPEG")
    decoded = decode_image(whole[: len(whole) // 2], longer_side=150)
    assert decoded.image.shape[:2] == (112, 150)
    assert decoded.note is not None


def test_a_jpeg_that_ends_before_its_pixels_is_damaged() -> None:
    with pytest.raises(ImageError, match="damaged or truncated"):
        decode_image(encode(PIL.Image.new("RGB", (64, 64)), "JPEG")[:300])


def test_a_stereo_photograph_is_its_first_picture_and_complete() -> None:
    left, right = noise((64, 48)), PIL.Image.new("RGB", (64, 48))
    decoded = decode_image(encode(left, "MPO", save_all=True, append_images=[right]))
    assert decoded.note is None
    assert decoded.image.std() > 20


def test_the_scans_of_a_jpeg_are_counted_where_there_may_be_several() -> None:
    assert count_scans(encode(PHOTO, "JPEG")) == 1
    assert count_scans(encode(PHOTO.convert("L"), "JPEG")) == 1
    assert count_scans(encode(PHOTO, "JPEG", progressive=True)) == 10
    assert count_scans(slow_jpeg(5000)) > 5000
    one_scan = encode(PHOTO, "JPEG")
    scan = one_scan.index(b"\xff\xda")
    assert count_scans(one_scan[: scan + 4] + b"\x01" + one_scan[scan + 5 : -2] + one_scan[scan:]) == 2
