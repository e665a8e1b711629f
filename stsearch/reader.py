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
from stsearch.likelihood import pack_columns
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
    columns: bytes  # as ``likelihood.pack_columns`` returns them
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
        readings, upright = self._run(pixels, turned=False)
        heads = np.flatnonzero(upright < 0.5)
        if len(heads):
            others, _ = self._run(pixels[heads, ::-1, ::-1], turned=True)
            for i, other in zip(heads.tolist(), others, strict=True):
                readings[i] = max(readings[i], other, key=_certainty)
        return readings

    @torch.inference_mode()
    def _run(self, pixels: NDArray[np.uint8], turned: bool) -> tuple[list[CropReading], NDArray[np.float32]]:
        """Return one reading a crop, and the probabilities that they stand the right way up."""
        count = len(pixels)
        filled = np.ascontiguousarray(pixels[np.arange(count + -count % _STEP) % count])
        images = torch.from_numpy(filled).to(self.device).permute(0, 3, 1, 2)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self._half):
            tables, upright, logits = (each[:count].cpu().numpy() for each in self._recognizer.read(images))
        charset = self._recognizer.charset
        packed = pack_columns(logits, charset)
        readings = [
            CropReading(table, best_reading(table, charset), columns, turned)
            for table, columns in zip(tables, packed, strict=True)
        ]
        return readings, upright


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
        polygon,
        instance.score,
        best.text,
        best.confidence,
        instance.embedding,
        best.characters,
        reading.columns,
    )
