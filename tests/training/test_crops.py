from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from stsearch.config import Canvas, RecognizerConfig, StageConfig
from stsearch.geometry.polygons import extent
from stsearch.training.crops import (
    LabelledCrop,
    collate_crops,
    cut_crop,
    draw_outline,
    draw_rendered_size,
    label_whole_picture,
    label_words,
    make_label,
)
from stsearch.types import Scene

CANVAS = Canvas("crops", 32, 128, batch=4)
STAGE = StageConfig("read", (CANVAS,), 10, turned_share=0.5)
READER = RecognizerConfig(max_length=8)


@pytest.mark.parametrize(
    ("transcript", "label"),
    [
        pytest.param("Open!", "Open!", id="as it is"),
        pytest.param("Café", "Cafe", id="accents folded"),
        pytest.param("1 Way", "1Way", id="spaces dropped"),
        pytest.param("東京", "", id="nothing that can be read"),
        pytest.param("unreadable", "", id="too long"),
    ],
)
def test_what_is_taught(transcript: str, label: str) -> None:
    assert make_label(transcript, READER) == label


def test_illegible_words_are_not_taught(word_scene: Scene) -> None:
    assert [word.label for word in label_words(word_scene.image, word_scene.words, READER)] == ["Hi"]


def test_a_foreign_crop_is_the_word_that_fills_its_picture() -> None:
    [word] = label_whole_picture(np.zeros((20, 50, 3), np.uint8), "EXIT", READER)
    assert word.polygon.tolist() == [[0, 0], [50, 0], [50, 20], [0, 20]]


def test_a_cut_varies_around_the_word(word_scene: Scene) -> None:
    [word] = label_words(word_scene.image, word_scene.words, READER)
    random = np.random.default_rng(0)
    crops = [cut_crop(word, CANVAS, STAGE, random) for _ in range(8)]
    assert {crop.shape for crop in crops} == {(32, 128, 3)}
    assert all(crop.std() > 5 for crop in crops)  # the dark word stays on its light ground
    assert len({crop.tobytes() for crop in crops}) == 8


def outlines(word: LabelledCrop) -> list[NDArray[np.float32]]:
    random = np.random.default_rng(0)
    drawn = [draw_outline(word, random) for _ in range(200)]
    return [polygon for polygon in drawn if polygon is not word.polygon]


def test_some_words_are_cut_in_a_box_around_them_that_may_be_tilted() -> None:
    slanted = np.array([[100, 120], [200, 90], [203, 110], [103, 140]], np.float32)
    boxes = outlines(LabelledCrop(np.zeros((300, 300, 3), np.uint8), slanted, "Hi"))
    assert 40 < len(boxes) < 100
    for frame in boxes:
        along, down = frame[1] - frame[0], frame[3] - frame[0]
        assert along @ down == pytest.approx(0, abs=0.05)
        for axis in (along, down):  # the word touches both sides, and lies between them
            places = (slanted - frame[0]) @ axis / (axis @ axis)
            assert (places.min(), places.max()) == pytest.approx((0, 1), abs=1e-4)
    assert np.std([np.arctan2(*(frame[1] - frame[0])[::-1]) for frame in boxes]) > np.deg2rad(5)


def test_a_box_shows_nothing_beyond_the_picture() -> None:
    picture = np.zeros((20, 80, 3), np.uint8)
    assert all(
        (frame == extent(picture)).all() for frame in outlines(*label_whole_picture(picture, "EXIT", READER))
    )


def test_a_word_that_runs_down_is_cut_along_its_outline() -> None:
    falling = np.array([[120, 10], [120, 200], [100, 200], [100, 10]], np.float32)
    assert not outlines(LabelledCrop(np.zeros((300, 300, 3), np.uint8), falling, "Hi"))


def test_the_last_crops_stand_on_their_heads_and_have_no_label(word_scene: Scene) -> None:
    [word] = label_words(word_scene.image, word_scene.words, READER)
    word, short = dataclasses.replace(word, label="Hello"), dataclasses.replace(word, label="a")
    exact = StageConfig("read", (CANVAS,), 10, turned_share=0.5, jitter=0.0, box_noise=(0.0, 0.0))
    batch = collate_crops([word, short, word, short], CANVAS, exact, np.random.default_rng(0))
    assert batch.images.shape == (4, 3, 32, 128)
    assert batch.words == ["a", "a"]  # one or two characters are not turned while there are longer ones


def test_the_same_seed_gives_the_same_batch(word_scene: Scene) -> None:
    words = label_words(word_scene.image, word_scene.words, READER) * 4
    one, other = (collate_crops(words, CANVAS, STAGE, np.random.default_rng(7)) for _ in range(2))
    assert (one.images == other.images).all()


def test_words_are_rendered_in_several_sizes() -> None:
    random = np.random.default_rng(0)
    assert len({draw_rendered_size(random) for _ in range(40)}) == 3
