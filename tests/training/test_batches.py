"""Training batches: deterministic by index, mixed as configured."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from stsearch.config import Canvas, ModelConfig, RecognizerConfig, StageConfig
from stsearch.errors import DataError
from stsearch.synth.renderer import load_assets
from stsearch.training.batches import Batch, BatchDataset, TrainingData, collate
from stsearch.training.crops import CropBatch
from stsearch.types import Sample, Scene

STAGE = StageConfig("words", (Canvas("words", 32, 128, 6),), steps=10, real_share=0.0, crop_share=0.0)


@pytest.fixture
def photo(word_scene: Scene, tmp_path: Path) -> Sample:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), word_scene.image)
    return Sample(path, word_scene.words)


def draw(data: TrainingData, stage: StageConfig, config: ModelConfig, index: int = 3) -> Batch:
    batch = BatchDataset(data, config, stage, stage.steps)[index]
    assert isinstance(batch, Batch)
    return batch


def test_a_batch_is_a_function_of_its_index(micro_config: ModelConfig) -> None:
    data = TrainingData(load_assets(None, None, None))
    first, again, other = (draw(data, STAGE, micro_config, index) for index in (3, 3, 4))
    assert first.images.equal(again.images)
    assert first.words == again.words
    assert not first.images.equal(other.images)


def test_a_batch_has_the_shapes_its_canvas_says(micro_config: ModelConfig) -> None:
    batch = draw(TrainingData(load_assets(None, None, None)), STAGE, micro_config)
    assert batch.images.shape == (6, 3, 32, 128)
    assert batch.detection.kernel.shape == (6, 16, 64)
    assert batch.edges.shape == (len(batch.words), 2, 32, 2)
    assert len(batch.owner) == len(batch.words)


def test_real_photographs_are_all_that_is_drawn_when_their_share_is_whole(
    micro_config: ModelConfig, photo: Sample
) -> None:
    data = TrainingData(load_assets(None, None, None), photos=(photo,))
    batch = draw(data, dataclasses.replace(STAGE, real_share=6.0), micro_config)
    assert set(batch.words) == {"hi"}


def test_word_crops_teach_reading_and_not_what_is_no_text(micro_config: ModelConfig, photo: Sample) -> None:
    data = TrainingData(load_assets(None, None, None), crops=((photo.image, "Hi"),))
    batch = draw(data, dataclasses.replace(STAGE, crop_share=1.0), micro_config)
    assert batch.words == ["hi"] * 6
    assert batch.detection.care.mean() < 0.95


def test_scene_canvases_take_whole_scenes(micro_config: ModelConfig, photo: Sample) -> None:
    stage = dataclasses.replace(STAGE, canvases=(Canvas("scenes", 96, 96, 2),), real_share=0.5)
    batch = draw(TrainingData(load_assets(None, None, None), photos=(photo,)), stage, micro_config)
    assert batch.images.shape == (2, 3, 96, 96)


def test_a_training_image_that_cannot_be_decoded_is_named(micro_config: ModelConfig, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    data = TrainingData(load_assets(None, None, None), crops=((tmp_path / "broken.jpg", "x"),))
    with pytest.raises(DataError, match=r"broken\.jpg"):
        draw(data, dataclasses.replace(STAGE, crop_share=1.0), micro_config)


def test_surplus_regions_are_left_out(micro_config: ModelConfig, word_scene: Scene) -> None:
    stage = dataclasses.replace(STAGE, max_regions=3)
    batch = collate([word_scene] * 5, micro_config, stage, np.random.default_rng(0))
    assert len(batch.words) == len(batch.edges) == 3


def test_a_batch_without_words_is_a_batch(micro_config: ModelConfig) -> None:
    empty = Scene(np.zeros((32, 64, 3), np.uint8), ())
    batch = collate([empty], micro_config, STAGE, np.random.default_rng(0))
    assert (batch.words, batch.edges.shape) == ([], (0, 2, 32, 2))


@pytest.mark.parametrize(
    ("real_share", "crop_share", "words"),
    [
        pytest.param(4.0, 0.0, {"Hi"}, id="photographs"),  # drawn a quarter as often, for four words each
        pytest.param(0.0, 1.0, {"EXIT"}, id="foreign crops"),
    ],
)
def test_crops_are_cut_from_real_words(
    photo: Sample,
    micro_config: ModelConfig,
    micro_recognizer_config: RecognizerConfig,
    real_share: float,
    crop_share: float,
    words: set[str],
) -> None:
    data = TrainingData(load_assets(None, None, None), (photo,), ((photo.image, "EXIT"),))
    batch = draw_crops(data, micro_config, micro_recognizer_config, real_share, crop_share)
    assert batch.images.shape == (6, 3, 32, 128)
    assert set(batch.words) == words


def test_crops_are_cut_from_rendered_words(
    micro_config: ModelConfig, micro_recognizer_config: RecognizerConfig
) -> None:
    data = TrainingData(load_assets(None, None, None))
    one, other = (draw_crops(data, micro_config, micro_recognizer_config, 0.0, 0.0) for _ in range(2))
    assert len(one.words) == 6
    assert one.words == other.words
    assert one.images.equal(other.images)


def draw_crops(
    data: TrainingData, config: ModelConfig, reader: RecognizerConfig, real_share: float, crop_share: float
) -> CropBatch:
    stage = StageConfig(
        "read",
        (Canvas("crops", 32, 128, 6),),
        steps=10,
        real_share=real_share,
        crop_share=crop_share,
        turned_share=0,
    )
    config = dataclasses.replace(config, recognizer=reader)
    batch = BatchDataset(data, config, stage, stage.steps)[3]
    assert isinstance(batch, CropBatch)
    return batch
