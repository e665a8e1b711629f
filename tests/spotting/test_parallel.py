"""Photographs that are spotted at the same time come back as if they had been spotted in turn."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
import pytest
import torch

from stsearch.models.scene_text import SceneTextModel
from stsearch.spotting.parallel import ParallelSpotter
from stsearch.spotting.spotter import Spotter
from stsearch.types import Image, ModelInfo, Scene, TextInstance
from stsearch.weights.card import Card
from stsearch.worker_pool import OrderedPool, Step


class Meeting:
    """A spotter that returns only when two photographs are in it at a time."""

    threads = 0

    def __init__(self, info: ModelInfo) -> None:
        self.info, self.decode_side = info, 640
        self.meeting = threading.Barrier(2, timeout=20)
        self.cores: list[int] = []

    def spot(self, images: Sequence[Image]) -> list[list[TextInstance]]:
        self.cores.append(torch.get_num_threads())
        self.meeting.wait()
        polygon = np.zeros((4, 2), np.float32)
        return [[TextInstance(polygon, float(image[0, 0, 0]), "", 0.0, polygon[0])] for image in images]


def shades(count: int) -> list[Image]:
    return [np.full((2, 2, 3), shade, np.uint8) for shade in range(count)]


def spot_in_threads(spotter: ParallelSpotter, images: Sequence[Image]) -> list[list[TextInstance]]:
    pool: OrderedPool[Image, list[TextInstance]] = OrderedPool(
        Step(spotter.threads, lambda image: spotter.spot([image])[0])
    )
    with pool as workers:
        return list(workers.results(images))


@pytest.mark.parametrize(("cores", "each"), [(2, 1), (9, 2)])
def test_photographs_are_spotted_at_the_same_time_with_a_share_of_the_cores_each(
    micro_model: SceneTextModel, cores: int, each: int
) -> None:
    spotter = Meeting(Card(micro_model.config).info)
    before = torch.get_num_threads()
    found = spot_in_threads(ParallelSpotter(spotter, cores), shades(8))
    assert [instance.score for [instance] in found] == list(range(8))
    assert set(spotter.cores) == {each}
    assert torch.get_num_threads() == before


def test_it_finds_what_the_spotter_finds(micro_model: SceneTextModel, word_scene: Scene) -> None:
    spotter = Spotter(micro_model, Card(micro_model.config).info)
    images = [word_scene.image, word_scene.image[::-1].copy(), word_scene.image]
    together = spot_in_threads(ParallelSpotter(spotter, 2), images)
    alone = [spotter.spot([image])[0] for image in images]
    assert [[each.transcript for each in found] for found in together] == [
        [each.transcript for each in found] for found in alone
    ]
