"""Training targets of labelled pictures."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from polygon_fixtures import polygon_iou

from stsearch.config import DetectorConfig, EmbedderConfig, StageConfig
from stsearch.spotting.postprocess import polygons_from_map
from stsearch.training.targets import detection_target, region_targets
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
