"""Words that are not written from left to right, with the shipped weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage
from PIL import ImageDraw

from stsearch.spotting.load import load_spotter
from stsearch.synth.lettering import BUILTIN_FONT, load_font
from stsearch.text.charset import normalize
from stsearch.types import Image

pytestmark = pytest.mark.slow


def letters_below_each_other(word: str) -> Image:
    picture = PilImage.new("RGB", (480, 640), (70, 110, 130))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((180, 20, 300, 40 + 90 * len(word)), fill=(140, 20, 30))
    for row, letter in enumerate(word):
        draw.text((240, 75 + 90 * row), letter, (250, 245, 240), load_font(BUILTIN_FONT, 72), anchor="mm")
    return np.asarray(picture)


def mirrored(word: str) -> Image:
    picture = PilImage.new("RGB", (640, 480), (190, 200, 205))
    ImageDraw.Draw(picture).text((320, 240), word, (20, 30, 60), load_font(BUILTIN_FONT, 80), anchor="mm")
    return np.ascontiguousarray(np.asarray(picture)[:, ::-1])


@pytest.mark.parametrize(
    ("picture", "word", "height"),
    [
        pytest.param(letters_below_each_other("HOTEL"), "hotel", 450, id="stacked"),
        pytest.param(mirrored("STATIONERY"), "stationery", 80, id="mirrored"),
    ],
)
def test_a_word_that_is_not_written_from_left_to_right_is_read(
    tiny_weights: Path, picture: Image, word: str, height: int
) -> None:
    [found] = load_spotter(str(tiny_weights), "cpu").spot([picture])
    [instance] = [each for each in found if normalize(each.transcript) == word][:1]
    assert np.ptp(instance.polygon[:, 1]) == pytest.approx(height, rel=0.3)
    assert np.linalg.norm(instance.embedding) == pytest.approx(1, abs=1e-3)
