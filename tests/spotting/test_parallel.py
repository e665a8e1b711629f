"""Photographs that are spotted at the same time come back as if they had been spotted in turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from stsearch.models.scene_text import SceneTextModel
from stsearch.spotting.parallel import ParallelSpotter
from stsearch.spotting.spotter import Spotter
from stsearch.types import Image, ModelInfo, Scene, TextInstance
from stsearch.weights.card import Card


class Meeting:
    """A spotter that returns only when two photographs are in it at a time."""

    def __init__(self, info: ModelInfo) -> None:
        self.info, self.decode_side = info, 640
        self.meeting = threading.Barrier(2, timeout=20)
        self.threads: list[int] = []

    def spot(self, images: Sequence[Image]) -> list[list[TextInstance]]:
        self.threads.append(torch.get_num_threads())
        self.meeting.wait()
        polygon = np.zeros((4, 2), np.float32)
        return [[TextInstance(polygon, float(image[0, 0, 0]), "", 0.0, polygon[0])] for image in images]


class Failing(Meeting):
    """Stops at the first photograph, while others wait."""

    def spot(self, images: Sequence[Image]) -> list[list[TextInstance]]:
        self.threads.append(0)
        if images[0][0, 0, 0] == 0:
            raise KeyboardInterrupt
        time.sleep(0.2)
        return [[] for _ in images]


def shades(count: int) -> list[Image]:
    return [np.full((2, 2, 3), shade, np.uint8) for shade in range(count)]


@pytest.mark.parametrize(("cores", "each"), [(2, 1), (9, 2)])
def test_photographs_are_spotted_at_the_same_time_and_come_back_in_order(
    micro_model: SceneTextModel, cores: int, each: int
) -> None:
    spotter = Meeting(Card(micro_model.config).info)
    before = torch.get_num_threads()
    found = ParallelSpotter(spotter, cores).spot(shades(8))
    assert [instance.score for [instance] in found] == list(range(8))
    assert set(spotter.threads) == {each}
    assert torch.get_num_threads() == before


def test_after_an_interrupt_no_other_photograph_begins(micro_model: SceneTextModel) -> None:
    spotter = Failing(Card(micro_model.config).info)
    with pytest.raises(KeyboardInterrupt):
        ParallelSpotter(spotter, 2).spot(shades(20))
    assert len(spotter.threads) < 5


def test_it_finds_what_the_spotter_finds(micro_model: SceneTextModel, word_scene: Scene) -> None:
    spotter = Spotter(micro_model, Card(micro_model.config).info)
    images = [word_scene.image, word_scene.image[::-1].copy(), word_scene.image]
    together, alone = ParallelSpotter(spotter, 2).spot(images), [spotter.spot([image])[0] for image in images]
    assert [[each.transcript for each in found] for found in together] == [
        [each.transcript for each in found] for found in alone
    ]
