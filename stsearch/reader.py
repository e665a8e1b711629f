"""Words in, readings out: in batches, crops on their heads turned over, what is in doubt looked at again."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stsearch.charset import normalize
from stsearch.geometry import extent, rectify, tilted
from stsearch.likelihood import pack_columns
from stsearch.models.layers import filled_up
from stsearch.models.recognizer import Recognizer
from stsearch.models.spelling import Reading, best_reading, n_best, probability
from stsearch.types import Image, Polygon, TextInstance

Item = TypeVar("Item")

BATCH = 64
SURE = 0.9
"""A picture of a word that is read with less confidence is looked at again, tilted."""
TILTS = (-18.0, -12.0, -6.0, 6.0, 12.0, 18.0)
"""Degrees, chosen on the validation crops: pictures are often the upright boxes of words that tilt."""
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

    def __init__(self, recognizer: Recognizer) -> None:
        """Take a recognizer in evaluation mode, best one that ``inference.make_fast`` returned."""
        self._recognizer = recognizer
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
        """Read pictures of any size that show one word each; what is in doubt is looked at again, tilted."""
        for batch in _batches(pictures, BATCH):
            words = [(picture, extent(picture)) for picture in batch]
            looks = [[reading] for reading in self._look(words, 0.0)]
            doubted = [at for at, [first] in enumerate(looks) if first.best.confidence < SURE]
            ways = itertools.product([words[at] for at in doubted], TILTS)
            again = self._look(((picture, tilted(outline, tilt)) for (picture, outline), tilt in ways), 0.0)
            for at in doubted:
                looks[at] += itertools.islice(again, len(TILTS))
            likely = self._likely({normalize(look.best.text) for at in doubted for look in looks[at]})
            yield from (self._most_agreed(each, likely) for each in looks)

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
        readings = self._look(words, self.config.margin)
        return [[_with_reading(instance, next(readings)) for instance in instances] for instances in found]

    def _look(self, words: Iterable[tuple[Image, Polygon]], margin: float) -> Iterator[CropReading]:
        return self.read(rectify(image, polygon, self.config.size, margin) for image, polygon in words)

    @torch.inference_mode()
    def _likely(self, words: Collection[str]) -> dict[str, float]:
        """Return what each of ``words`` counts for being more or less likely to be written anywhere."""
        model = self._recognizer.characters
        if model is None or not words:
            return dict.fromkeys(words, 1.0)
        known = (self.config.character_share * model(list(words))).exp().tolist()
        return dict(zip(words, known, strict=True))

    def _most_agreed(self, looks: Sequence[CropReading], likely: Mapping[str, float]) -> CropReading:
        """Return the reading that is most probable in all looks together, from the look that is surest of it.

        Readings that fold to the same word speak for each other; a word counts as much as it is ``likely``.
        """
        if len(looks) == 1:
            return looks[0]
        charset = self._recognizer.charset
        votes: dict[str, float] = {}
        for text in dict.fromkeys(look.best.text for look in looks):
            word, classes = normalize(text), charset.encode(text)
            support = sum(probability(look.table, classes) for look in looks)
            votes[word] = votes.get(word, 0.0) + likely[word] * support
        chosen = max(votes, key=votes.__getitem__)
        return max((look for look in looks if normalize(look.best.text) == chosen), key=_certainty)

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
            readings[i] = max(readings[i], other, key=_certainty)
        return readings[: len(crops)]


def _in_steps(batch: Tensor, compute: Callable[[Tensor], Tensor]) -> Tensor:
    """Return what is computed of a batch, filled up to a multiple of ``_STEP`` for as long as that takes."""
    return compute(batch[filled_up(len(batch), _STEP, batch.device)])[: len(batch)]


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
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
