"""Crops in, readings out: batches, upside-down crops turned, low-confidence readings rescored."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from stsearch.batching import batched
from stsearch.engines.contract import CropEngine, CropReadings
from stsearch.geometry.polygons import extent, rectify, tilt_polygon
from stsearch.spotting.long_words import cut_parts, join_parts, plan_parts
from stsearch.spotting.rescoring import CropReading, Hypothesis, hypotheses
from stsearch.text.charset import Charset
from stsearch.text.ctc import pack_posteriors
from stsearch.text.decoding import best_reading
from stsearch.types import Image, Polygon, TextInstance

BATCH = 64
CONFIDENT = 0.9
"""Readings of a lower confidence are rescored."""
TILTS = (-18.0, -12.0, -6.0, 6.0, 12.0, 18.0)
"""Degrees of the views of test-time augmentation, chosen on the validation crops: pictures of words are often
the upright boxes of words that tilt."""


class RecognizerRunner:
    """Reads word crops with a recognizer."""

    def __init__(self, engine: CropEngine) -> None:
        self._engine = engine
        self.config, self.device, self.precision = engine.config, engine.device, engine.precision
        self._charset = Charset(engine.config.characters)

    def read(self, crops: Iterable[Image]) -> Iterator[CropReading]:
        """Read (H, W, 3) uint8 RGB crops of the configured size, in order."""
        for batch in batched(crops, BATCH):
            yield from self._read_batch(batch)

    def read_pictures(self, pictures: Iterable[Image], augment: bool = False) -> Iterator[CropReading]:
        """Read pictures of any size that show one word each.

        Args:
            pictures: HWC uint8 RGB.
            augment: Test-time augmentation: low-confidence pictures are read again, tilted both ways.
                ``index`` reads every crop once.
        """
        for batch in batched(pictures, BATCH):
            yield from self._read_words([(picture, extent(picture)) for picture in batch], 0.0, augment)

    def read_instances(
        self,
        images: Sequence[Image],
        found: Sequence[Sequence[TextInstance]],
        augment: bool = False,
        min_confidence: float = 0.0,
    ) -> list[list[TextInstance]]:
        """Return the instances ``found`` in each image with their transcripts read anew from its pixels.

        The polygon of an upside-down word comes back starting where reading starts.

        Args:
            images: HWC uint8 RGB.
            found: polygons in pixels of their image.
            augment: as for ``read_pictures``; for few words: in photographs a word has several outlines, and
                most low-confidence ones are no word.
            min_confidence: readings with a lower mean confidence of a character are not rescored, since
                nobody will use them.
        """
        words = (
            (image, instance.polygon)
            for image, instances in zip(images, found, strict=True)
            for instance in instances
        )
        read = (
            self._read_words(batch, self.config.margin, augment, min_confidence)
            for batch in batched(words, BATCH)
        )
        readings = itertools.chain.from_iterable(read)
        return [[with_reading(instance, next(readings)) for instance in instances] for instances in found]

    def _read_words(
        self,
        words: Sequence[tuple[Image, Polygon]],
        margin: float,
        augment: bool,
        min_confidence: float = 0.0,
    ) -> list[CropReading]:
        """Read outlined words; with ``augment``, the low-confidence ones in tilted views too."""
        views = [[reading] for reading in self._read_outlines(words, margin)]
        if augment:
            uncertain = _low_confidence(views)
            tilts = itertools.product([words[at] for at in uncertain], TILTS)
            outlines = ((picture, tilt_polygon(outline, tilt)) for (picture, outline), tilt in tilts)
            tilted_views = self._read_outlines(outlines, margin)
            for at in uncertain:
                views[at].extend(itertools.islice(tilted_views, len(TILTS)))
        readings = self._choose(views, min_confidence)
        uncertain = _low_confidence(views)
        in_parts = self._read_in_parts([words[at] for at in uncertain], margin)
        for at, other in zip(uncertain, in_parts, strict=True):
            if other is not None:
                readings[at] = max(readings[at], other, key=lambda reading: reading.best.char_confidence)
        return readings

    def _read_in_parts(
        self, words: Sequence[tuple[Image, Polygon]], margin: float
    ) -> list[CropReading | None]:
        """Read those outlined words that are too long for one crop; None for the others."""
        size = self.config.size
        frames = size[1] // self.config.patch[1]
        plans = [plan_parts(polygon, margin, size, frames) for _, polygon in words]
        crops = itertools.chain.from_iterable(
            cut_parts(image, polygon, size, parts)
            for (image, polygon), parts in zip(words, plans, strict=True)
            if parts is not None
        )
        seen = (self._engine.read(np.stack(batch)).ctc_logits for batch in batched(crops, BATCH))
        logits = itertools.chain.from_iterable(seen)
        return [
            None
            if parts is None
            else join_parts(list(itertools.islice(logits, parts.count)), parts, self._charset)
            for parts in plans
        ]

    def _read_outlines(self, words: Iterable[tuple[Image, Polygon]], margin: float) -> Iterator[CropReading]:
        return self.read(rectify(image, polygon, self.config.size, margin) for image, polygon in words)

    def _choose(self, words: Sequence[Sequence[CropReading]], min_confidence: float) -> list[CropReading]:
        """Return the reading of each of the ``words``, given one view of it or several."""
        uncertain = [
            at for at in _low_confidence(words) if words[at][0].best.char_confidence >= min_confidence
        ]
        found = hypotheses([words[at] for at in uncertain], self._charset)
        prior = self._priors(found)
        readings = [views[0] for views in words]
        for at, each in zip(uncertain, found, strict=True):
            readings[at] = max(each, key=lambda hypothesis: prior[hypothesis.word] * hypothesis.score).view
        return readings

    def _priors(self, found: Sequence[Sequence[Hypothesis]]) -> dict[str, float]:
        """Return how likely each word is to be written anywhere, weighted: the character model's say."""
        words = sorted({hypothesis.word for each in found for hypothesis in each})
        logs = self._engine.log_probabilities(words) if words else None
        if logs is None:
            return dict.fromkeys(words, 1.0)
        return dict(zip(words, np.exp(self.config.character_lm_weight * logs).tolist(), strict=True))

    def _read_batch(self, crops: Sequence[Image]) -> list[CropReading]:
        """Read crops; those that seem to be upside down both ways, of which the more confident counts."""
        upright = np.stack(crops)
        seen = self._engine.read(upright)
        readings = self._best_readings(seen, upside_down=False)
        inverted = np.flatnonzero(seen.orientation < 0)
        if len(inverted):
            turned = self._engine.read(np.ascontiguousarray(upright[inverted, ::-1, ::-1]))
            for i, other in zip(
                inverted.tolist(), self._best_readings(turned, upside_down=True), strict=True
            ):
                readings[i] = max(readings[i], other, key=lambda reading: reading.best.char_confidence)
        return readings

    def _best_readings(self, seen: CropReadings, upside_down: bool) -> list[CropReading]:
        posteriors = pack_posteriors(seen.ctc_logits, self._charset)
        return [
            CropReading(table, best_reading(table, self._charset), packed, upside_down)
            for table, packed in zip(seen.tables, posteriors, strict=True)
        ]


def _low_confidence(words: Sequence[Sequence[CropReading]]) -> list[int]:
    """Return the indices of the ``words`` whose first view is read with low confidence."""
    return [at for at, [first, *_] in enumerate(words) if first.best.confidence < CONFIDENT]


def with_reading(instance: TextInstance, reading: CropReading) -> TextInstance:
    """Return ``instance`` with the transcript of ``reading``, its outline starting where reading starts."""
    polygon: Polygon = instance.polygon
    if reading.upside_down:
        polygon = np.roll(polygon, -(len(polygon) // 2), axis=0)
    best = reading.best
    return TextInstance(
        polygon,
        instance.score,
        best.text,
        best.confidence,
        instance.embedding,
        best.characters,
        reading.ctc_posteriors,
    )
