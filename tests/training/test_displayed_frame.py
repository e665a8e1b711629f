"""Training, evaluation and indexing see one photograph: the displayed one, with labels in its frame."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from eval_fixtures import FakeEncoder, FakeSpotter
from image_fixtures import save_oriented

from stsearch.config import Canvas, ModelConfig, ProposalConfig, StageConfig
from stsearch.datasets.labelled_folder import read_dataset
from stsearch.evaluation.catalogue import BENCHMARKS, FOLDER
from stsearch.evaluation.predictions import predict, predict_by_indexing
from stsearch.evaluation.scoring import score
from stsearch.gallery.gallery import Gallery
from stsearch.geometry.polygons import box
from stsearch.images import read_image
from stsearch.indexing.indexer import IndexOptions, index_photos
from stsearch.synth.renderer import Renderer, load_assets
from stsearch.training.augment import cut_scene_view
from stsearch.training.batches import BatchDataset, TrainingData
from stsearch.training.detected_outlines import add_detected_outlines
from stsearch.types import Image, Scene, TextInstance

WORD = box(40, 20, 160, 60)
STAGE = StageConfig("scenes", (Canvas("scenes", 64, 64, 1),), steps=10, real_share=1.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a rendered photograph of one word that a camera held upright has stored on its side."""
    picture = Renderer(load_assets(None, None, None), 0).word(1, (100, 220)).image
    photo = save_oriented(PIL.Image.fromarray(picture), tmp_path / "photos" / "a.jpg", 6)
    instance = {"polygon": WORD.tolist(), "transcript": "EXIT"}
    row = {"image": photo.name, "height": 100, "width": 220, "instances": [instance]}
    (photo.parent / "annotations.jsonl").write_text(json.dumps(row))
    return photo.parent


class Watcher(FakeSpotter):
    """Finds the labelled word, and keeps the pixels it was shown."""

    decode_side = 1000

    def __init__(self) -> None:
        self.seen: list[Image] = []

    def spot(self, images: Sequence[Image]) -> list[list[TextInstance]]:
        self.seen += images
        return [[TextInstance(WORD, 1.0, "exit", 1.0, np.eye(1, 36, dtype=np.float32)[0])] for _ in images]

    def propose(self, images: Sequence[Image], config: ProposalConfig) -> list[list[TextInstance]]:
        return self.spot(images)


def seen_in_training(folder: Path, config: ModelConfig, monkeypatch: pytest.MonkeyPatch) -> Scene:
    photos: list[Scene] = []

    def watch(scene: Scene, size: tuple[int, int], side: int, random: np.random.Generator) -> Scene:
        photos.append(scene)
        return cut_scene_view(scene, size, side, random)

    monkeypatch.setattr("stsearch.training.batches.cut_scene_view", watch)
    data = TrainingData(load_assets(None, None, None), photos=tuple(read_dataset(folder)))
    BatchDataset(data, config, STAGE, STAGE.steps)[0]
    return photos[0]


def test_training_evaluation_and_indexing_see_the_same_pixels_and_labels(
    folder: Path, micro_config: ModelConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    trained_on = seen_in_training(folder, micro_config, monkeypatch)
    samples, watcher = read_dataset(folder), Watcher()
    predict(watcher, samples)
    predict_by_indexing(watcher, [folder], samples)
    with Gallery.create(tmp_path / "gallery", folder, watcher.info) as gallery:
        index_photos(gallery, watcher, IndexOptions())
    add_detected_outlines(watcher, samples)  # type: ignore[arg-type]  # a stand-in for a spotter
    assert trained_on.image.shape == (100, 220, 3)
    assert trained_on.words[0].polygon.tolist() == WORD.tolist()
    assert len(watcher.seen) == 4
    for image in (*watcher.seen, read_image(folder / "a.jpg")):
        np.testing.assert_array_equal(image, trained_on.image)


def test_a_word_found_in_a_photograph_that_is_stored_on_its_side_matches_its_label(folder: Path) -> None:
    samples = read_dataset(folder)
    found = predict_by_indexing(Watcher(), [folder], samples)
    report = score(BENCHMARKS[FOLDER].truth(samples), found, FakeEncoder())
    assert report.detection.hmean == 1.0


def test_detected_outlines_and_labels_share_a_frame(folder: Path) -> None:
    (sample,) = add_detected_outlines(Watcher(), read_dataset(folder))  # type: ignore[arg-type]  # as above
    assert [word.polygon.tolist() for word in sample.words] == [WORD.tolist()] * 2
