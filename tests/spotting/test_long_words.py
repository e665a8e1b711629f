from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PilImage
from PIL import ImageDraw

from stsearch.geometry.polygons import box
from stsearch.spotting.load import load_spotter
from stsearch.spotting.long_words import Parts, cut_parts, join_parts, plan_parts
from stsearch.synth.lettering import BUILTIN_FONT, load_font
from stsearch.text.charset import ALPHANUMERIC, Charset, normalize
from stsearch.text.ctc import word_likelihoods

CROP = (32, 128)
CHARSET = Charset(ALPHANUMERIC)
LONG = "rechtsschutzversicherungsgesellschaft"


def logits_of(text: str, frames: int) -> NDArray[np.float32]:
    """Return (frames, V) logits that spell ``text``, evenly spread."""
    logits = np.zeros((frames, len(CHARSET)), np.float32)
    logits[:, 0] = 6
    places = np.linspace(1, frames - 2, len(text)).round().astype(int)
    for place, number in zip(places, CHARSET.encode(text), strict=True):
        logits[place, [0, number]] = 0, 8
    return logits


@pytest.mark.parametrize("ratio", [4.0, 4.9])
def test_a_word_that_fits_into_a_crop_has_no_parts(ratio: float) -> None:
    assert plan_parts(box(0, 0, 20 * ratio, 20), 0.0, CROP, 32) is None


@pytest.mark.parametrize("ratio", [5.1, 6.4, 8.0, 14.5, 40.0])
def test_parts_cover_a_word_in_its_own_proportions_and_overlap(ratio: float) -> None:
    parts = plan_parts(box(0, 0, 20 * ratio, 20), 0.0, CROP, 32)
    assert parts is not None
    covered = ((parts.count - 1) * parts.step + parts.frames) / parts.frames
    assert covered == pytest.approx(ratio / 4, rel=0.1)
    assert parts.frames - parts.step >= 12


def test_the_pixels_of_an_overlap_are_the_same_in_both_parts() -> None:
    image = np.random.default_rng(0).integers(0, 256, (60, 500, 3), dtype=np.uint8)
    polygon = box(20, 10, 480, 50)
    parts = plan_parts(polygon, 0.2, CROP, 32)
    assert parts is not None
    first, second, *_ = cut_parts(image, polygon, CROP, parts)
    assert first.shape == (*CROP, 3)
    assert (first[:, 4 * parts.step :] == second[:, : 128 - 4 * parts.step]).all()


@pytest.mark.parametrize("text", [LONG, "0123456789" * 4, "mississippimississippimississippi"])
def test_joined_parts_spell_the_whole_word_though_borders_cut_letters(text: str) -> None:
    parts = Parts(4, 19, 32, 0.0)
    whole = logits_of(text, 3 * 19 + 32)
    cut = [whole[19 * index : 19 * index + 32].copy() for index in range(4)]
    for part in cut[1:]:
        part[:2, 5] = 9  # what is left of a letter looks like another
    for part in cut[:-1]:
        part[-2:, 7] = 9
    reading = join_parts(cut, parts, CHARSET)
    assert reading.best.text == text
    assert reading.best.char_confidence > 0.95
    assert word_likelihoods(text, [reading.ctc_posteriors])[0] > 0.9
    assert len(reading.table) == len(text) + 1


def sign(word: str) -> PilImage.Image:
    picture = PilImage.new("RGB", (1400, 720), (150, 170, 150))
    ImageDraw.Draw(picture).text((700, 360), word, (30, 30, 60), load_font(BUILTIN_FONT, 60), anchor="mm")
    return picture


@pytest.mark.slow
@pytest.mark.parametrize(
    "word",
    [LONG, "DONAUDAMPFSCHIFFAHRTSGESELLSCHAFT", "www.landwirtschaftsmuseum-niederrhein.de"],
)
def test_words_of_more_letters_than_the_decoder_spells_are_read(tiny_weights: Path, word: str) -> None:
    [found] = load_spotter(str(tiny_weights), "cpu").spot([np.asarray(sign(word))])
    assert normalize(word) in {normalize(each.transcript) for each in found}
