"""Labelled photographs that are nowhere, what was found in them, and networks that only pretend."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stsearch.evaluation.predictions import Predictions
from stsearch.text.charset import ALPHANUMERIC
from stsearch.types import Embedding, Image, ModelInfo, Polygon, Sample, TextInstance, WordLabel

INFO = ModelInfo("fake", "5ha", ALPHANUMERIC, dim=36, longer_side=64)


def box(x: float) -> Polygon:
    return np.array([[x, 0], [x + 10, 0], [x + 10, 10], [x, 10]], np.float32)


def embed(word: str) -> Embedding:
    """Count characters: words that share letters are similar."""
    counts = np.array([word.lower().count(c) for c in ALPHANUMERIC], np.float32)
    return (counts / max(float(np.linalg.norm(counts)), 1e-6)).astype(np.float32)


def label(transcript: str, x: float = 0, legible: bool = True) -> WordLabel:
    return WordLabel(box(x), transcript, legible)


def instance(transcript: str, x: float = 0) -> TextInstance:
    return TextInstance(box(x), 0.75, transcript, 0.5, embed(transcript))


def write_house_folder(folder: Path) -> Path:
    """Write a folder in the house format with one photograph, of no pixels, that says EXIT; return it."""
    instance = {"polygon": box(0).tolist(), "transcript": "EXIT", "legible": True}
    row = {"image": "1.jpg", "height": 10, "width": 10, "instances": [instance]}
    folder.mkdir(exist_ok=True)
    (folder / "annotations.jsonl").write_text(json.dumps(row))
    (folder / "1.jpg").touch()
    return folder


class FakeEncoder:
    def __init__(self, transcript_weight: float = 0.5, likelihood_weight: float = 0.0) -> None:
        self.info = replace(INFO, transcript_weight=transcript_weight, likelihood_weight=likelihood_weight)

    def __call__(self, words: Sequence[str]) -> NDArray[np.float32]:
        return np.array([embed(word) for word in words])


class FakeSpotter:
    """Finds one word in an image, named by the image's width."""

    info = INFO
    decode_side = INFO.longer_side
    threads = 0
    device = "cpu"
    precision = "float32"

    def for_indexing(self) -> Self:
        return self

    def spot(self, images: Sequence[Image]) -> list[list[TextInstance]]:
        return [[instance(f"wide{image.shape[1]}")] for image in images]


SAMPLES = [
    Sample(Path("a/1.jpg"), (label("Open 24"), label("EXIT", 50))),
    Sample(Path("b/1.jpg"), (label("exit!"), label("hidden", 50, legible=False), label("&", 80))),
    Sample(Path("b/2.jpg"), ()),
]
FOUND = Predictions(
    {
        Path("a/1.jpg"): [instance("open24"), instance("EXIT", 50)],
        Path("b/1.jpg"): [instance("exif"), instance("hidden", 50), instance("and", 80)],
        Path("b/2.jpg"): [],
    },
    weights_sha256="5ha",
    seconds=1.5,
)
