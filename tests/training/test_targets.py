"""Training targets of labelled pictures."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from polygon_fixtures import polygon_iou

from stsearch.config import CloseUpConfig, DetectorConfig, EmbedderConfig, StageConfig
from stsearch.geometry.polygons import box
from stsearch.spotting.postprocess import polygons_from_map
from stsearch.training.targets import CloseUpTarget, close_up_target, detection_target, region_targets
from stsearch.types import Scene, WordLabel

CONFIG = DetectorConfig()
STAGE = StageConfig("scenes", (), 1)


def test_the_kernel_lies_inside_its_word_and_grows_back_to_it(word_scene: Scene) -> None:
    target = detection_target(word_scene, CONFIG)
    [(polygon, _)] = polygons_from_map(target.kernel, CONFIG.binarization[0], 2, 10)
    assert target.kernel.shape == (32, 64)
    assert polygon_iou(polygon * CONFIG.stride, word_scene.words[0].polygon) > 0.7


def test_an_illegible_word_is_neither_positive_nor_negative(word_scene: Scene) -> None:
    target = detection_target(word_scene, CONFIG)
    inside = (slice(12, 24), slice(42, 58))
    assert target.kernel[inside].max() == 0
    assert target.care[inside].max() == 0
    assert target.care[2, 2] == 1


def test_a_word_too_small_for_a_kernel_is_not_judged(word_scene: Scene) -> None:
    tiny = WordLabel(np.array([[4, 4], [14, 4], [14, 7], [4, 7]], np.float32), "a", True)
    target = detection_target(Scene(word_scene.image, (tiny,)), CONFIG)
    assert target.kernel.max() == 0
    assert target.care[2, 4] == 0


def test_a_partly_labelled_picture_is_judged_around_its_words_only(word_scene: Scene) -> None:
    target = detection_target(dataclasses.replace(word_scene, partial=True), CONFIG)
    assert target.care[18, 20] == 1
    assert target.care[2, 2] == 0


def test_the_border_map_peaks_on_the_outline(word_scene: Scene) -> None:
    target = detection_target(word_scene, CONFIG)
    assert target.border.max() == pytest.approx(0.7)
    assert target.border[18, 8] > target.border[18, 11] > 0.3
    assert target.border.min() == pytest.approx(0.3)


def test_regions_are_made_of_legible_words_with_a_transcript(word_scene: Scene) -> None:
    regions = region_targets(word_scene.words, EmbedderConfig(), STAGE, np.random.default_rng(0))
    assert [region.word for region in regions] == ["hi"]


def test_words_without_a_letter_or_longer_than_the_frames_are_no_regions(word_scene: Scene) -> None:
    polygon = word_scene.words[0].polygon
    words = [WordLabel(polygon, "&!", True), WordLabel(polygon, "x" * 33, True)]
    assert region_targets(words, EmbedderConfig(), STAGE, np.random.default_rng(0)) == []


def test_regions_are_as_inexact_as_the_stage_says(word_scene: Scene) -> None:
    random = np.random.default_rng(0)
    exact = dataclasses.replace(STAGE, box_noise=(0.0, 0.0), jitter=0.0)

    def spread(stage: StageConfig) -> float:
        drawn = [
            region_targets(word_scene.words, EmbedderConfig(), stage, random)[0].edges for _ in range(50)
        ]
        return float(np.std(drawn, axis=0).mean())

    assert spread(exact) < spread(STAGE) / 2


# Close-ups


def small_word(height: float, legible: bool = True) -> WordLabel:
    return WordLabel(box(40, 40, 100, 40 + height), "word" if legible else "", legible)


def draw_close_ups(*words: WordLabel, partial: bool = False) -> CloseUpTarget:
    # The coarse pass is half the size that heights are given in.
    config = CloseUpConfig(heights=(48.0, 24.0, 12.0))
    return close_up_target(Scene(np.zeros((96, 160, 3), np.uint8), words, partial), config, 640)


@pytest.mark.parametrize(
    ("height", "sizes"),
    [
        pytest.param(24.0, [0, 0, 0], id="large"),
        pytest.param(23.0, [1, 0, 0], id="small"),
        pytest.param(11.0, [1, 1, 0], id="very-small"),
        pytest.param(5.0, [1, 1, 1], id="tiny"),
    ],
)
def test_a_word_needs_every_size_up_to_its_own(height: float, sizes: list[int]) -> None:
    assert draw_close_ups(small_word(height)).needed[:, 1, 2].tolist() == sizes


def test_every_cell_that_a_small_word_touches_needs_a_close_up() -> None:
    assert draw_close_ups(small_word(20)).needed[0].tolist() == [
        [0, 0, 0, 0, 0],
        [0, 1, 1, 1, 0],
        [0, 0, 0, 0, 0],
    ]


def test_unreadable_small_words_count_too() -> None:
    assert draw_close_ups(small_word(10, legible=False)).needed[0].sum() == 3


def test_the_close_up_map_of_a_partially_labelled_scene_counts_at_words_alone() -> None:
    target = draw_close_ups(small_word(30), partial=True)
    assert target.care.tolist() == [[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 1, 1, 1, 0]]
    assert target.needed.sum() == 0
