"""The networks as a library: one instance a word, from a path, bytes or an array."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import stsearch
from stsearch.errors import WeightsError
from stsearch.text.charset import normalize


@pytest.fixture(scope="module")
def model(tiny_weights: Path) -> stsearch.Model:
    return stsearch.load(str(tiny_weights), "cpu")


@pytest.mark.slow
def test_a_photograph_is_read_from_a_path_its_bytes_or_an_array(
    model: stsearch.Model, rendered_gallery: Path
) -> None:
    path = rendered_gallery / "street-07.jpg"
    sources = (path, str(path), path.read_bytes(), stsearch.read_image(path))
    readings = [[word.transcript for word in model.spot(source)] for source in sources]
    assert readings[0] == readings[1] == readings[2] == readings[3]
    assert {"garden", "music"} <= {normalize(text) for text in readings[0]}


@pytest.mark.slow
def test_one_instance_a_word_unless_all_readings_are_asked_for(
    model: stsearch.Model, rendered_gallery: Path
) -> None:
    path = rendered_gallery / "street-02.jpg"
    words, readings = model.spot(path), model.spot(path, all_readings=True)
    assert len(words) < len(readings)
    middles = np.array([word.polygon.mean(axis=0) for word in words])
    apart = np.linalg.norm(middles[:, None] - middles, axis=2) + 1e9 * np.eye(len(words))
    assert apart.min() > 5  # no two in one place


@pytest.mark.slow
def test_strings_are_embedded_beside_words(model: stsearch.Model, rendered_gallery: Path) -> None:
    word = max(model.spot(rendered_gallery / "street-07.jpg"), key=lambda each: each.confidence)
    same, other = model.embed([normalize(word.transcript), "qqqq"]) @ word.embedding
    assert same > 0.5 > other


def test_weights_that_are_not_there_are_named_with_those_that_are() -> None:
    with pytest.raises(WeightsError, match=r"no weights 'huge': .*\(tiny\)"):
        stsearch.load("huge")
    assert "tiny" in stsearch.available_models()
