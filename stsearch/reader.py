"""Word crops in, readings out: batches of similar load, and crops on their heads turned over."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from stsearch.geometry import rectify
from stsearch.models.recognizer import Recognizer
from stsearch.models.spelling import Reading, best_reading, n_best
from stsearch.types import Image, Polygon, TextInstance

BATCH = 64
_STEP = 8
"""Batches are filled up to a multiple of it: oneDNN compiles anew for every shape."""


@dataclass(frozen=True, slots=True, eq=False)
class CropReading:
    """What one crop says."""

    table: NDArray[np.float32]  # (L, V) class probabilities
    best: Reading
    turned: bool  # it was read upside down


class Reader:
    """Reads word crops with a recognizer."""

    def __init__(self, recognizer: Recognizer, half: bool = False) -> None:
        """Take a recognizer in evaluation mode; ``half``: compute in bfloat16."""
        self._recognizer = recognizer
        self._half = half
        self.config = recognizer.config
        self.device = recognizer.get_buffer("mean").device

    def read(self, crops: Iterable[Image]) -> Iterator[CropReading]:
        """Read (H, W, 3) uint8 RGB crops of the configured size, in order."""
        for batch in _batches(crops, BATCH):
            yield from self._read_batch(batch)

    def n_best(self, crop: CropReading, count: int) -> list[Reading]:
        """Return the ``count`` most probable readings of a crop, best first."""
        return n_best(crop.table, self._recognizer.charset, count)

    def read_pictures(self, pictures: Iterable[Image]) -> Iterator[CropReading]:
        """Read pictures of any size that show one word each."""
        height, width = self.config.size
        return self.read(
            np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
            for picture in pictures
        )

    def read_instances(
        self, images: Sequence[Image], found: Sequence[Sequence[TextInstance]]
    ) -> list[list[TextInstance]]:
        """Return the instances ``found`` in each image with their transcripts read anew from its pixels.

        An instance that stands on its head comes back with its polygon begun where reading starts.
        """
        readings = self.read(
            rectify(image, instance.polygon, self.config.size, self.config.margin)
            for image, instances in zip(images, found, strict=True)
            for instance in instances
        )
        return [[_with_reading(instance, next(readings)) for instance in instances] for instances in found]

    def _read_batch(self, crops: Sequence[Image]) -> list[CropReading]:
        pixels = np.stack(crops)
        tables, upright = self._run(pixels)
        readings = [CropReading(table, self._best(table), False) for table in tables]
        heads = np.flatnonzero(upright < 0.5)
        if len(heads):
            turned, _ = self._run(pixels[heads, ::-1, ::-1])
            for i, table in zip(heads.tolist(), turned, strict=True):
                other = CropReading(table, self._best(table), True)
                readings[i] = max(readings[i], other, key=_certainty)
        return readings

    @torch.inference_mode()
    def _run(self, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        count = len(pixels)
        filled = np.ascontiguousarray(pixels[np.arange(count + -count % _STEP) % count])
        images = torch.from_numpy(filled).to(self.device).permute(0, 3, 1, 2)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self._half):
            tables, upright = self._recognizer.read(images)
        return tables[:count].cpu().numpy(), upright[:count].cpu().numpy()

    def _best(self, table: NDArray[np.float32]) -> Reading:
        return best_reading(table, self._recognizer.charset)


def _batches(crops: Iterable[Image], size: int) -> Iterator[list[Image]]:
    iterator = iter(crops)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


def _certainty(reading: CropReading) -> float:
    """Return the mean probability of a character, so that long words are not at a disadvantage."""
    return float(reading.best.confidence ** (1 / max(len(reading.best.text), 1)))


def _with_reading(instance: TextInstance, reading: CropReading) -> TextInstance:
    polygon: Polygon = instance.polygon
    if reading.turned:
        polygon = np.roll(polygon, -(len(polygon) // 2), axis=0)
    best = reading.best
    return TextInstance(
        polygon, instance.score, best.text, best.confidence, instance.embedding, best.characters
    )
