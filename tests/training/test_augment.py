"""Training views of photographs: pixels and labels move together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from stsearch.config import StageConfig
from stsearch.geometry.polygons import polygon_area, word_size
from stsearch.training.augment import (
    _DEGRADATIONS,
    cut_scene,
    cut_scene_view,
    cut_word_view,
    degrade,
    perturb_outline,
    place_crop,
    vary_colours,
)
from stsearch.types import Image, Scene, WordLabel

Spoiler = Callable[[Image, np.random.Generator], Image]

CENTRE = np.array([64, 32], np.float32)


def dark_centre(scene: Scene) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    rows, columns = np.nonzero(scene.image.mean(axis=2) < 120)
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5])


def test_an_unchanged_cut_returns_the_picture(word_scene: Scene) -> None:
    cut = cut_scene(word_scene, (64, 128), 1.0, CENTRE, 0.0)
    assert np.array_equal(cut.image, word_scene.image)
    assert cut.words[0].polygon == pytest.approx(word_scene.words[0].polygon)


@pytest.mark.parametrize(("scale", "angle"), [(1.5, 0), (0.4, 0), (1.0, 30), (0.45, -20)])
def test_labels_follow_the_ink(word_scene: Scene, scale: float, angle: float) -> None:
    cut = cut_scene(word_scene, (160, 220), scale, CENTRE, angle)
    before = dark_centre(word_scene) - word_scene.words[0].polygon.mean(axis=0)
    turned = np.array([[np.cos(a := np.radians(angle)), np.sin(a)], [-np.sin(a), np.cos(a)]]) @ before * scale
    word = next(word for word in cut.words if word.transcript)
    mask = (
        np.abs(np.indices((160, 220))[::-1].reshape(2, -1).T - word.polygon.mean(axis=0)).max(axis=1)
        < 30 * scale
    )
    only = Scene(np.where(mask.reshape(160, 220, 1), cut.image, 255).astype(np.uint8), ())
    assert dark_centre(only) - word.polygon.mean(axis=0) == pytest.approx(turned, abs=1.0)


def test_stretching_widens_a_word_and_keeps_its_area(word_scene: Scene) -> None:
    cut = cut_scene(word_scene, (160, 220), 1.0, CENTRE, 0.0, stretch=1.44)
    before, after = (np.ptp(scene.words[0].polygon, axis=0) for scene in (word_scene, cut))
    assert after / before == pytest.approx([1.2, 1 / 1.2])
    turned = cut_scene(word_scene, (160, 220), 1.0, CENTRE, 90.0, stretch=1.44)  # after stretching
    assert np.ptp(turned.words[0].polygon, axis=0) == pytest.approx(after[::-1], abs=1e-3)
    assert np.ptp(np.nonzero(cut.image.mean(axis=2) < 60)[1]) > np.ptp(
        np.nonzero(word_scene.image.mean(axis=2) < 60)[1]
    )


def test_words_that_the_border_cuts_become_illegible_and_outer_ones_leave(word_scene: Scene) -> None:
    cut = cut_scene(word_scene, (64, 64), 1.0, np.array([72, 32], np.float32), 0.0)  # x from 40 to 104
    assert [(word.transcript, word.legible) for word in cut.words] == [("Hi", False), ("", False)]
    assert len(cut_scene(word_scene, (16, 16), 1.0, np.array([8, 8], np.float32), 0.0).words) == 0


def test_a_word_view_holds_its_word_whole(word_scene: Scene) -> None:
    random = np.random.default_rng(0)
    for _ in range(30):
        view = cut_word_view(word_scene, word_scene.words[0], (32, 128), random)
        assert view.image.shape == (32, 128, 3)
        height, _ = word_size(view.words[0].polygon)
        assert 8 < height < 36


def test_a_scene_view_has_the_asked_size(word_scene: Scene) -> None:
    random = np.random.default_rng(0)
    assert {cut_scene_view(word_scene, (96, 64), 256, random).image.shape for _ in range(10)} == {(96, 64, 3)}


def test_a_crop_is_labelled_where_it_lies_and_nothing_else_is_claimed(word_scene: Scene) -> None:
    crop = word_scene.image[20:52, 16:64]
    view = place_crop(crop, "Hi", (32, 128), np.random.default_rng(0))
    [word] = view.words
    assert (word.transcript, word.legible, view.partial) == ("Hi", True, True)
    assert polygon_area(word.polygon) > 0
    assert dark_centre(view) == pytest.approx(word.polygon.mean(axis=0), abs=6)


def test_colours_vary_and_labels_do_not() -> None:
    image = np.full((8, 8, 3), 100, np.uint8)
    varied = {vary_colours(image, np.random.default_rng(seed)).tobytes() for seed in range(5)}
    assert len(varied) == 5


def test_cutting_keeps_illegible_words_illegible(word_scene: Scene) -> None:
    words = (WordLabel(word_scene.words[0].polygon, "", False),)
    cut = cut_scene(Scene(word_scene.image, words), (64, 128), 1.0, CENTRE, 0.0)
    assert not cut.words[0].legible


def test_spoiling_leaves_some_crops_alone_and_no_two_of_the_rest_alike(word_scene: Scene) -> None:
    random = np.random.default_rng(0)
    spoiled = [degrade(word_scene.image, random) for _ in range(60)]
    assert {crop.shape for crop in spoiled} == {word_scene.image.shape}
    changed = {crop.tobytes() for crop in spoiled} - {word_scene.image.tobytes()}
    assert 15 < len(changed) < 45


@pytest.mark.parametrize("operation", _DEGRADATIONS, ids=lambda operation: operation.__name__)
def test_a_spoiled_word_is_still_dark_on_light(operation: Spoiler, word_scene: Scene) -> None:
    random = np.random.default_rng(1)
    for _ in range(5):
        crop = operation(word_scene.image, random)
        assert crop.dtype == np.uint8
        left, right = crop[20:52, 22:62].mean(), crop[24:48, 84:116].mean()
        assert left < right - 2


def drawn(polygon: list[list[float]], box_noise: tuple[float, float] = (0.18, 0.1)) -> NDArray[np.float32]:
    stage = StageConfig("read", (), 1, jitter=0.0, box_noise=box_noise)
    random = np.random.default_rng(0)
    return np.stack([perturb_outline(np.array(polygon, np.float32), stage, random) for _ in range(2000)])


LYING: list[list[float]] = [[0.0, 0], [100, 0], [100, 20], [0, 20]]
RISING: list[list[float]] = [[0.0, 100], [0, 0], [20, 0], [20, 100]]  # read upwards


@pytest.mark.parametrize(("polygon", "along"), [(LYING, 0), (RISING, 1)], ids=["lying", "rising"])
def test_a_detected_outline_is_off_along_the_word_more_than_across_it(
    polygon: list[list[float]], along: int
) -> None:
    extents = np.ptp(drawn(polygon, box_noise=(0.2, 0.05)).mean(axis=1, keepdims=True), axis=0).reshape(-1)
    assert extents[along] > 2 * extents[1 - along]


def test_a_detected_outline_is_a_little_large_on_average() -> None:
    width = np.ptp(drawn(LYING)[:, :, 0], axis=1).mean()
    assert 100 < width < 108


def test_a_detected_outline_cuts_little_of_a_short_word() -> None:
    wild = drawn([[0.0, 0.0], [10.0, 0.0], [10.0, 20.0], [0.0, 20.0]], box_noise=(5.0, 5.0))
    covered = [polygon_area(outline) for outline in wild]
    assert min(covered) > 0.75**2 * 200
