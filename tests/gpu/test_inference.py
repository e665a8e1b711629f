"""A GPU finds and reads what the CPU does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from polygon_fixtures import polygon_iou
from prompt_fixtures import QUERIES, difference, make_model, outputs, random_images

from stsearch.config import ModelConfig
from stsearch.engines.torch_engine import TorchSceneEngine
from stsearch.geometry.polygons import extent, rectify
from stsearch.images import read_image
from stsearch.models.scene_text import freeze_prompts
from stsearch.spotting.load import load_recognizer_runner, load_spotter
from stsearch.spotting.proposals import suppress_overlaps
from stsearch.spotting.spotter import Spotter
from stsearch.weights.card import Card

pytestmark = [pytest.mark.gpu, pytest.mark.slow]


def test_the_words_of_photographs_are_those_that_a_cpu_finds(
    tiny_weights: Path, rendered_gallery: Path, device: torch.device
) -> None:
    images = [read_image(rendered_gallery / f"street-0{number}.jpg") for number in (2, 5)]
    spotters = [load_spotter(str(tiny_weights), each, engine="torch") for each in ("cpu", str(device))]
    here, there = ([suppress_overlaps(words) for words in spotter.spot(images)] for spotter in spotters)
    for ours, theirs in zip(here, there, strict=True):
        assert len(ours) > 5
        same = [
            any(
                polygon_iou(word.polygon, each.polygon) > 0.5 and word.transcript == each.transcript
                for each in theirs
            )
            for word in ours
        ]
        assert np.mean(same) >= 0.9
        assert abs(len(ours) - len(theirs)) <= 2


def test_a_spotter_is_given_batches_by_a_gpu_alone(tiny_weights: Path, device: torch.device) -> None:
    spotter = load_spotter(str(tiny_weights), str(device), engine="torch").for_indexing()
    assert (spotter.threads == 0) == (device.type == "cuda")


def test_crops_are_read_as_a_cpu_reads_them(
    tiny_weights: Path, rendered_gallery: Path, device: torch.device
) -> None:
    images = [read_image(rendered_gallery / f"street-0{number}.jpg")[:200] for number in range(1, 9)]
    readers = [load_recognizer_runner(str(tiny_weights), each, "torch") for each in ("cpu", str(device))]
    crops = [rectify(image, extent(image), readers[0].config.size, 0.0) for image in images]
    ours, theirs = ([reading.best for reading in reader.read(crops)] for reader in readers)
    for one, other in zip(ours, theirs, strict=True):
        if one.text == other.text:
            assert one.confidence == pytest.approx(other.confidence, abs=0.2)
        else:
            assert min(one.confidence, other.confidence) < 0.9


@pytest.mark.parametrize("frozen", [False, True], ids=["unfrozen", "frozen"])
@pytest.mark.parametrize("query", QUERIES)
def test_language_prompts_condition_the_maps_as_on_a_cpu(
    micro_config: ModelConfig, query: str, frozen: bool, device: torch.device
) -> None:
    model, images = make_model(micro_config, query), random_images(2, 64, 96)
    if frozen:
        freeze_prompts(model)
    here = outputs(model, images)
    there = [each.cpu() for each in outputs(model.to(device), images.to(device))]
    assert difference(here, there) < 0.1  # TF32 in convolutions; cosines are divided by 0.07


@pytest.mark.parametrize("query", QUERIES)
def test_a_prompted_network_spots_in_half_precision(
    micro_config: ModelConfig, query: str, device: torch.device
) -> None:
    model = make_model(micro_config, query).to(device)
    spotter = Spotter(TorchSceneEngine(model), Card(model.config).info)
    photo = random_images(1, 64, 96)[0].permute(1, 2, 0).numpy().astype(np.uint8)
    assert len(spotter.spot([photo, photo[:, :64]])) == 2
