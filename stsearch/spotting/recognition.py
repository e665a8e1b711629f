"""Words in, readings out: in batches, crops on their heads turned over, what is in doubt thought over."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from stsearch.geometry.polygons import extent, rectify, tilted
from stsearch.models.layers import filled_up
from stsearch.models.recognizer import Recognizer
from stsearch.spotting.rescoring import Candidate, CropReading, candidates
from stsearch.text.ctc import pack_columns
from stsearch.text.decoding import best_reading
from stsearch.types import Image, Polygon, TextInstance

Item = TypeVar("Item")

BATCH = 64
SURE = 0.9
"""What is read with less confidence is thought over; a picture of a word is looked at again for it."""
TILTS = (-18.0, -12.0, -6.0, 6.0, 12.0, 18.0)
"""Degrees, chosen on the validation crops: pictures are often the upright boxes of words that tilt."""
_STEP = 8
"""Batches are filled up to a multiple of it: oneDNN compiles anew for every shape."""


class Reader:
    """Reads word crops with a recognizer."""

    def __init__(self, recognizer: Recognizer) -> None:
        """Take a recognizer in evaluation mode, best one that ``inference.make_fast`` returned."""
        self._recognizer = recognizer
        self.config = recognizer.config
        self.device = recognizer.get_buffer("mean").device

    def read(self, crops: Iterable[Image]) -> Iterator[CropReading]:
        """Read (H, W, 3) uint8 RGB crops of the configured size, in order."""
        for batch in _batches(crops, BATCH):
            yield from self._read_batch(batch)

    def read_pictures(self, pictures: Iterable[Image]) -> Iterator[CropReading]:
        """Read pictures of any size that show one word each; what is in doubt is looked at again, tilted."""
        for batch in _batches(pictures, BATCH):
            words = [(picture, extent(picture)) for picture in batch]
            looks = [[reading] for reading in self._look(words, 0.0)]
            doubted = _doubted(looks)
            ways = itertools.product([words[at] for at in doubted], TILTS)
            again = self._look(((picture, tilted(outline, tilt)) for (picture, outline), tilt in ways), 0.0)
            for at in doubted:
                looks[at] += itertools.islice(again, len(TILTS))
            yield from self._decide(looks)

    def read_instances(
        self, images: Sequence[Image], found: Sequence[Sequence[TextInstance]]
    ) -> list[list[TextInstance]]:
        """Return the instances ``found`` in each image with their transcripts read anew from its pixels.

        An instance that stands on its head comes back with its polygon begun where reading starts. One look
        has to do: in photographs a word has several outlines, and most that is in doubt is no word.
        """
        words = (
            (image, instance.polygon)
            for image, instances in zip(images, found, strict=True)
            for instance in instances
        )
        looks = ([reading] for reading in self._look(words, self.config.margin))
        readings = itertools.chain.from_iterable(map(self._decide, _batches(looks, BATCH)))
        return [[_with_reading(instance, next(readings)) for instance in instances] for instances in found]

    def _look(self, words: Iterable[tuple[Image, Polygon]], margin: float) -> Iterator[CropReading]:
        return self.read(rectify(image, polygon, self.config.size, margin) for image, polygon in words)

    def _decide(self, words: Sequence[Sequence[CropReading]]) -> list[CropReading]:
        """Return what each of the ``words``, looked at once or more often, is read as."""
        doubted = _doubted(words)
        found = candidates([words[at] for at in doubted], self._recognizer.charset)
        likely = self._likely(found)
        readings = [looks[0] for looks in words]
        for at, each in zip(doubted, found, strict=True):
            readings[at] = max(each, key=lambda candidate: likely[candidate.word] * candidate.support).look
        return readings

    @torch.inference_mode()
    def _likely(self, found: Sequence[Sequence[Candidate]]) -> dict[str, float]:
        """Return what each word counts for being more or less likely to be written anywhere."""
        words = sorted({candidate.word for each in found for candidate in each})
        model = self._recognizer.characters
        if model is None or not words:
            return dict.fromkeys(words, 1.0)
        known = (self.config.character_share * model(words)).exp().tolist()
        return dict(zip(words, known, strict=True))

    @torch.inference_mode()
    def _read_batch(self, crops: Sequence[Image]) -> list[CropReading]:
        """Read crops; those that seem to stand on their heads both ways, of which the surer counts."""
        recognizer, charset = self._recognizer, self._recognizer.charset
        images = torch.from_numpy(np.stack(crops)).to(self.device).permute(0, 3, 1, 2)
        features = _in_steps(images, recognizer.features)
        heads = (recognizer.upright(features) < 0).nonzero().flatten()
        if len(heads):
            turned = _in_steps(images[heads].flip(2, 3), recognizer.features)
            features = torch.cat([features, turned])
        columns = pack_columns(recognizer.columns(features).float().cpu().numpy(), charset)
        tables = _in_steps(features, recognizer.read).cpu().numpy()
        readings = [
            CropReading(table, best_reading(table, charset), seen, turned=i >= len(crops))
            for i, (table, seen) in enumerate(zip(tables, columns, strict=True))
        ]
        for i, other in zip(heads.tolist(), readings[len(crops) :], strict=True):
            readings[i] = max(readings[i], other, key=lambda reading: reading.best.char_confidence)
        return readings[: len(crops)]


def _doubted(words: Sequence[Sequence[CropReading]]) -> list[int]:
    """Return which of the ``words`` the first look at them leaves in doubt."""
    return [at for at, [first, *_] in enumerate(words) if first.best.confidence < SURE]


def _in_steps(batch: Tensor, compute: Callable[[Tensor], Tensor]) -> Tensor:
    """Return what is computed of a batch, filled up to a multiple of ``_STEP`` for as long as that takes."""
    return compute(batch[filled_up(len(batch), _STEP, batch.device)])[: len(batch)]


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch


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
