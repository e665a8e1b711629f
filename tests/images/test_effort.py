"""effort.py: what decoding takes is judged before it is done."""

from __future__ import annotations

from image_fixtures import encode, noise, slow_jpeg

from stsearch.images.effort import effort_of


def test_ordinary_photographs_are_soon_decoded_and_others_may_not_be() -> None:
    assert effort_of(encode(noise((2000, 1500)), "JPEG")).seconds < 1
    assert effort_of(encode(noise((300, 200)))).seconds < 1
    assert effort_of(slow_jpeg(10_000)).seconds > 100
    for kind in ("TIFF", "JPEG2000", "AVIF", "PDF"):
        assert effort_of(encode(noise((30, 20)), kind)).seconds == float("inf")
