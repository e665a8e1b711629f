"""A labelled folder, and the options of a run on it that takes a second."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
from train_fixtures import MICRO

from stsearch.training.options import TrainOptions
from stsearch.types import Scene


@pytest.fixture
def labelled_folder(word_scene: Scene, tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "images").mkdir(parents=True)
    cv2.imwrite(str(folder / "images" / "a.png"), word_scene.image)
    instances = [
        {
            "polygon": word.polygon.tolist(),
            "transcript": "HELLO" if word.legible else None,
            "legible": word.legible,
        }
        for word in word_scene.words
    ]
    row = {"image": "images/a.png", "height": 64, "width": 128, "instances": instances}
    (folder / "annotations.jsonl").write_text(json.dumps(row) + "\n")
    return folder


@pytest.fixture
def options(labelled_folder: Path, tmp_path: Path) -> TrainOptions:
    (tmp_path / "micro.toml").write_text(MICRO)
    return TrainOptions(
        out=tmp_path / "run",
        config=tmp_path / "micro.toml",
        stage="words",
        data=(labelled_folder,),
        val=(labelled_folder,),
        workers=0,
        device="cpu",
    )
