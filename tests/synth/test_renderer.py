from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from stsearch.errors import DataError, UsageError
from stsearch.synth.lettering import BUILTIN_FONT
from stsearch.synth.renderer import Renderer, SynthAssets, load_assets, make_contact_sheet
from stsearch.types import Polygon, Scene, WordLabel


@pytest.fixture(scope="module")
def bare() -> Renderer:
    """A renderer of a machine without fonts, photographs or word lists."""
    return Renderer(dataclasses.replace(load_assets(), fonts=(BUILTIN_FONT,)), seed=3)


@pytest.fixture(scope="module")
def words(bare: Renderer) -> list[Scene]:
    return [bare.word(i, (32, 128)) for i in range(60)]


@pytest.fixture(scope="module")
def scenes(bare: Renderer) -> list[Scene]:
    return [bare.scene(i, (320, 320), i / 11) for i in range(12)]


def signed_area(polygon: Polygon) -> float:
    x, y = polygon.astype(float).T
    return float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) / 2)


def same(one: Scene, other: Scene) -> bool:
    labels = [(w.transcript, w.legible, w.polygon.tobytes()) for w in one.words]
    return np.array_equal(one.image, other.image) and labels == [
        (w.transcript, w.legible, w.polygon.tobytes()) for w in other.words
    ]


def test_words_and_scenes_have_the_size_that_was_asked_for(words: list[Scene], scenes: list[Scene]) -> None:
    assert {s.image.shape for s in words} == {(32, 128, 3)}
    assert {(s.image.shape, s.image.dtype.name) for s in scenes} == {((320, 320, 3), "uint8")}


def test_a_picture_depends_on_its_index_and_not_on_what_was_rendered_before(bare: Renderer) -> None:
    fresh = Renderer(dataclasses.replace(load_assets(), fonts=(BUILTIN_FONT,)), seed=3)
    assert same(fresh.scene(5, (320, 320), 1.0), bare.scene(5, (320, 320), 1.0))
    assert same(fresh.word(7, (32, 128)), bare.word(7, (32, 128)))


def test_another_seed_gives_other_pictures(bare: Renderer) -> None:
    other = Renderer(dataclasses.replace(load_assets(), fonts=(BUILTIN_FONT,)), seed=4)
    assert not same(other.word(0, (32, 128)), bare.word(0, (32, 128)))


def test_polygons_of_readable_words_run_clockwise(words: list[Scene], scenes: list[Scene]) -> None:
    areas = [signed_area(w.polygon) for s in words + scenes for w in s.words if w.legible]
    assert len(areas) > 50
    assert min(areas) > 0


def test_polygons_stay_within_the_picture(words: list[Scene], scenes: list[Scene]) -> None:
    for scene in words + scenes:
        height, width = scene.image.shape[:2]
        for word in scene.words:
            assert word.polygon.dtype == np.float32
            assert word.polygon.min() >= 0
            assert (word.polygon <= (width, height)).all()


def test_most_main_words_are_readable_and_come_first(words: list[Scene]) -> None:
    assert sum(s.words[0].legible for s in words if s.words) > 40


def test_readable_words_are_at_least_six_pixels_high(scenes: list[Scene]) -> None:
    shortest = min(np.ptp(w.polygon[:, 1]) for s in scenes for w in s.words if w.legible)
    assert shortest >= 6


def test_some_words_are_curved_with_as_many_points_above_as_below(
    words: list[Scene], scenes: list[Scene]
) -> None:
    counts = {len(w.polygon) for s in words + scenes for w in s.words}
    assert counts <= {4, 10, 12, 14}
    assert counts > {4}


def test_transcripts_are_ascii_words_without_accents(words: list[Scene], scenes: list[Scene]) -> None:
    for transcript in (w.transcript for s in words + scenes for w in s.words):
        assert transcript
        assert not any(c.isspace() or "\u00c0" <= c <= "\u00ff" for c in transcript)


def test_a_scene_of_the_easiest_kind_holds_readable_text(bare: Renderer) -> None:
    assert any(w.legible for w in bare.scene(0, (320, 320), 0.0).words)


def test_backgrounds_given_as_photographs_are_used(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "red.png"), np.full((80, 120, 3), (0, 0, 255), np.uint8))
    renderer = Renderer(load_assets(backgrounds=tmp_path), seed=0)
    empty = renderer.scene(0, (96, 96), 0.0).image
    assert empty.shape == (96, 96, 3)


def test_a_background_that_is_no_photograph_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"not a photograph")
    renderer = Renderer(load_assets(backgrounds=tmp_path), seed=0)
    with pytest.raises(DataError, match=r"broken\.jpg"):
        renderer.scene(0, (96, 96), 1.0)


@pytest.mark.parametrize("option", ["fonts", "backgrounds", "words"])
def test_a_missing_source_is_named_with_its_option(tmp_path: Path, option: str) -> None:
    with pytest.raises(DataError, match=f"nowhere.*--{option}"):
        load_assets(**{option: tmp_path / "nowhere"})


@pytest.mark.parametrize("option", ["fonts", "backgrounds"])
def test_an_empty_folder_is_an_error(tmp_path: Path, option: str) -> None:
    with pytest.raises(DataError, match="holds no"):
        load_assets(**{option: tmp_path})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "is empty", id="empty"),
        pytest.param("the\t7.7\nof seven\n", "line 2", id="malformed"),
    ],
)
def test_a_word_list_that_cannot_be_used_says_why(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "words.tsv").write_text(text)
    with pytest.raises(DataError, match=message):
        load_assets(words=tmp_path / "words.tsv")


def test_a_word_list_keeps_the_order_of_frequencies(tmp_path: Path) -> None:
    (tmp_path / "words.tsv").write_text("the\t7.7\n\ncurler\t2.5\n")
    assets = load_assets(words=tmp_path / "words.tsv")
    assert assets.words == ("the", "curler")
    assert assets.weights[0] > 100 * assets.weights[1]


def test_assets_without_any_folder_are_the_built_in_ones() -> None:
    assets = load_assets()
    assert isinstance(assets, SynthAssets)
    assert assets.backgrounds == ()
    assert len(assets.words) > 200
    assert len(assets.fonts) >= 1


def test_a_contact_sheet_frames_words_in_rows() -> None:
    quad = np.array([(10, 10), (60, 10), (60, 30), (10, 30)], np.float32)
    labels = (WordLabel(quad, "EXIT", True), WordLabel(quad + 30, "", False))
    scene = Scene(np.zeros((100, 200, 3), np.uint8), labels)
    sheet = make_contact_sheet([scene, scene, scene], columns=2)
    assert sheet.shape == (400, 800, 3)
    assert (sheet[20:60, 20:120] == (0, 220, 0)).all(-1).any()
    assert (sheet[300:, 450:] == 255).all()


def test_a_contact_sheet_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="0 scenes"):
        make_contact_sheet([], columns=3)
