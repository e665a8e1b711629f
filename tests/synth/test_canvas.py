from __future__ import annotations

import numpy as np
import pytest

from stsearch.synth.canvas import Canvas, apply, scale_by, shift_by, text_height, turn_by
from stsearch.synth.text_effects import Layer
from stsearch.types import Image, WordLabel

QUAD = np.array([(40, 40), (120, 40), (120, 60), (40, 60)], np.float32)


def bars(colour: int, period: int = 6) -> Layer:
    """Vertical strokes, 80 x 20 pixels, with the contrast of letters."""
    ink = np.zeros((20, 80), np.uint8)
    ink[:, np.arange(80) % period < period // 2] = 255
    return Layer(np.full((1, 1, 3), colour, np.uint8), ink, ink)


def label_of(canvas: Canvas, image: Image | None = None, blur_sigma: float = 0.0) -> WordLabel:
    (label,) = canvas.labels(canvas.image if image is None else image, blur_sigma)
    return label


def canvas_with(colour: int, polygon: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = QUAD) -> Canvas:
    canvas = Canvas(np.full((100, 160, 3), 100, np.uint8))
    low = polygon.min(0)
    canvas.blend(bars(colour), shift_by(float(low[0]), float(low[1])))
    canvas.add_word("Café", polygon)
    return canvas


def test_a_clear_word_is_readable_and_loses_its_accents() -> None:
    label = label_of(canvas_with(220))
    assert (label.transcript, label.legible) == ("Cafe", True)
    assert np.array_equal(label.polygon, QUAD)


@pytest.mark.parametrize(
    ("case", "legible"),
    [
        pytest.param("contrast", False, id="text as light as its background"),
        pytest.param("cut", False, id="half outside"),
        pytest.param("hidden", False, id="half occluded"),
        pytest.param("touched", True, id="a tenth occluded"),
        pytest.param("blurred", False, id="blurred by a quarter of its height"),
    ],
)
def test_a_word_is_readable_only_if_it_can_be_seen(case: str, legible: bool) -> None:
    if case == "contrast":
        assert label_of(canvas_with(105)).legible == legible
    elif case == "cut":
        assert label_of(canvas_with(220, QUAD + np.array([80, 0], np.float32))).legible == legible
    elif case == "blurred":
        assert label_of(canvas_with(220), blur_sigma=5.0).legible == legible
    else:
        canvas = canvas_with(220)
        canvas.occluded[40:60, 40 : 80 if case == "hidden" else 48] = 255
        assert label_of(canvas).legible == legible


def test_a_word_of_five_pixels_is_dont_care() -> None:
    canvas = Canvas(np.full((100, 160, 3), 100, np.uint8))
    canvas.blend(bars(220), shift_by(40, 40) @ scale_by(1, 0.25))
    canvas.add_word("tiny", apply(shift_by(40, 40) @ scale_by(1, 0.25), QUAD - QUAD[0]))
    assert not label_of(canvas).legible


def test_a_word_of_punctuation_is_dont_care() -> None:
    canvas = canvas_with(220)
    canvas.words.clear()
    canvas.add_word("...", QUAD)
    assert not label_of(canvas).legible


def test_a_cut_word_keeps_the_part_that_is_inside() -> None:
    label = label_of(canvas_with(220, QUAD + np.array([80, 0], np.float32)))
    assert label.polygon[:, 0].max() == 160


def test_a_word_outside_the_picture_has_no_label() -> None:
    canvas = canvas_with(220)
    canvas.words.clear()
    canvas.add_word("gone", QUAD + 500)
    assert canvas.labels(canvas.image, 0.0) == ()


def test_a_layer_lands_where_its_matrix_says_to_the_pixel() -> None:
    canvas = Canvas(np.zeros((60, 60, 3), np.uint8))
    full = np.full((10, 10), 255, np.uint8)
    canvas.blend(Layer(np.full((1, 1, 3), 200, np.uint8), full, full), shift_by(20, 30))
    assert (canvas.image[30:40, 20:30] == 200).all()
    assert canvas.image.sum() == 200 * 3 * 100


def test_shrinking_a_layer_keeps_its_grey_instead_of_skipping_strokes() -> None:
    canvas = Canvas(np.zeros((60, 60, 3), np.uint8))
    ink = np.tile(np.array([255, 0, 0, 0], np.uint8), (80, 20))
    canvas.blend(Layer(np.full((1, 1, 3), 255, np.uint8), ink, ink), shift_by(10, 10) @ scale_by(0.25, 0.25))
    assert 50 < canvas.image[15:25, 15:25].mean() < 80


def test_the_height_of_text_does_not_depend_on_its_angle() -> None:
    assert text_height(apply(turn_by(1.0), QUAD)) == pytest.approx(20, abs=1e-3)
