"""The one inference path: photographs in, text instances out."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from stsearch.config import ProposalConfig
from stsearch.engines.contract import EncodedImages, SceneEngine
from stsearch.errors import DeviceError, OutOfDeviceMemoryError
from stsearch.geometry.polygons import extent, region_edges
from stsearch.images import Resize, ResizePlan
from stsearch.spotting.close_ups import CELL, Sheet, group_by_size, plan_close_ups
from stsearch.spotting.mirrored import flip, has_mirrored_words, select_mirrored
from stsearch.spotting.postprocess import find_polygons, possible_readings
from stsearch.spotting.proposals import filter_proposals, filter_readings, group_outlines
from stsearch.spotting.recognition import RecognizerRunner, with_reading
from stsearch.spotting.stacks import find_stacks, read_stack
from stsearch.spotting.windows import join_windows, split_photo
from stsearch.text.charset import Charset
from stsearch.text.ctc import decode_best_path, pack_posteriors
from stsearch.types import PHOTO_BATCH, Image, ModelInfo, Polygon, TextInstance
from stsearch.worker_pool import usable_cores

_CROP_DETAIL = 2
"""Crops are cut from photographs of up to this many times the size of detection: a word 16 pixels high there
fills a crop of 32."""
_SHEET_BATCH = 8  # sheets of close-ups that a GPU takes at a time
_PICTURE_EDGE = 32  # empty pixels around the picture of a rearranged word
_PICTURE_SHEET = 160  # height of the sheet that it lies on, and its widths without the edges: few, as engines
_PICTURE_WIDTHS = (256, 576, 896)  # prepare themselves for every size

_ToPhoto = Callable[[Polygon], Polygon | None]


@dataclass(frozen=True, slots=True, eq=False)
class _Region:
    """A detected polygon in one reading direction."""

    photo: int  # index in the batch, of photographs or of sheets
    word: int  # index of the polygon in its photo
    polygon: Polygon  # pixels of the network's input
    score: float  # share of all outlines, of all thresholds and sizes, that are duplicates of it


class Spotter:
    """Detects, embeds and recognizes the words of photographs.

    Attributes:
        info: Of the weights.
        device: Where it computes, as text.
        precision: What it computes in, and with which library, as text.
        decode_side: Pixels on the longer side of a photograph; more are of no use to it.
        threads: How many may each spot a photograph at the same time; 0: it is given batches.
        recognizer: Reads crops of the words that were found; None: the embedder's CTC readings are kept.
    """

    def __init__(self, engine: SceneEngine, info: ModelInfo, reads: bool = True) -> None:
        """Spot with the networks of ``engine``; without ``reads`` its recognizer is not used."""
        self.info = info
        self.device, self.precision = engine.device, engine.precision
        self.threads = 0
        self._engine, self._config = engine, engine.config
        self._charset = Charset(info.charset)
        self._resizes = [Resize(size) for size in engine.config.sizes]
        # Votes are shares of so many passes, everywhere. Counting only those that could see a place and the
        # size of a word was worse: hmean 0.796 instead of 0.804, each at its best threshold (validation).
        self._passes = len(self._resizes) + (engine.config.close_ups is not None)
        crops = engine.crops if reads else None
        self.recognizer = None if crops is None else RecognizerRunner(crops)
        self.decode_side = info.longer_side * (1 if crops is None else _CROP_DETAIL)
        self._batch_size = sys.maxsize if engine.wants_batches else 1

    def for_indexing(self, threads: int = 0) -> Self:
        """Return the spotter with which photographs are indexed fastest: on a CPU several at a time.

        Args:
            threads: that spot a photograph each, on a CPU; 0: as many as there are cores, up to 4.
        """
        if self._engine.wants_batches:
            return self
        threads = threads or min(usable_cores(), PHOTO_BATCH)  # each needs some hundred megabytes
        spotter = type(self)(self._engine.for_callers(threads), self.info, self.recognizer is not None)
        spotter.threads = threads
        return spotter

    def spot(self, images: Sequence[Image]) -> list[list[TextInstance]]:
        """Find the words of ``images``.

        Args:
            images: HWC uint8 RGB, of any sizes; they are padded to a common size.

        Returns:
            One list a photograph, most confident first, polygons in its own pixels. A word with several
            readings has an instance for each: ``proposals.suppress_overlaps`` keeps one.

        Raises:
            DeviceError: Not even one photograph fits into the memory of the device.
        """
        config = self._config.proposals
        windows = [split_photo((image.shape[0], image.shape[1])) for image in images]
        cut = [each.cut(image) for image, some in zip(images, windows, strict=True) for each in some]
        found = self._recognize(cut, self.propose(cut, config), min_confidence=config.min_reading_confidence)
        read = (
            words + self._read_rearranged(image, words, config)
            for image, words in zip(cut, found, strict=True)
        )
        return [
            filter_readings(join_windows(some, list(itertools.islice(read, len(some)))), config)
            for some in windows
        ]

    def propose(self, images: Sequence[Image], config: ProposalConfig) -> list[list[TextInstance]]:
        """Return the proposals in ``images``, before recognition: several outlines a word.

        Args:
            images: as for ``spot``.
            config: the lowest confidence of a proposal, and the IoU of duplicates.

        Raises:
            DeviceError: as for ``spot``.
        """
        found: list[list[TextInstance]] = []
        while len(found) < len(images):
            chunk = images[len(found) : len(found) + self._batch_size]
            words = self._try_to_find(chunk)
            if words is not None:
                found += words
            elif len(chunk) > 1:
                self._batch_size = len(chunk) // 2  # from now on, too
            else:
                height, width = chunk[0].shape[:2]
                raise DeviceError(
                    f"{self.device} has too little free memory for one photograph of {width} x {height}: "
                    "stop what else uses it, or take --device cpu"
                )
        return [filter_proposals(words, config) for words in found]

    def _try_to_find(self, images: Sequence[Image]) -> list[list[TextInstance]] | None:
        try:
            return self._find(images)
        except OutOfDeviceMemoryError:
            return None

    def _find(self, images: Sequence[Image]) -> list[list[TextInstance]]:
        """Return the words found at each size, and in close-ups; a word may be found several times."""
        found: list[list[list[TextInstance]]] = []
        sheets: list[tuple[int, Sheet]] = []
        for resize in self._resizes:
            encoded, plans = self._encode(images, resize)
            if not found:
                sheets = self._plan_sheets(images, encoded, plans)
            regions = self._detect(encoded, plans)
            found.append(self._embed(encoded, regions, [plan.inverse for plan in plans]))
        words = [list(itertools.chain(*sizes)) for sizes in zip(*found, strict=True)]
        for (photo, _), more in zip(sheets, self._spot_sheets(images, sheets), strict=True):
            words[photo] += more
        return words

    def _plan_sheets(
        self, images: Sequence[Image], encoded: EncodedImages, plans: Sequence[ResizePlan]
    ) -> list[tuple[int, Sheet]]:
        """Return the close-ups of all photographs, each with the index of its photograph."""
        config = self._config.close_ups
        if config is None or encoded.close_ups is None:
            return []
        size = self._config.sizes[0]
        return [
            (photo, sheet)
            for photo, (image, plan) in enumerate(zip(images, plans, strict=True))
            for sheet in plan_close_ups(
                encoded.close_ups[photo, :, : -(-plan.height // CELL), : -(-plan.width // CELL)],
                (image.shape[0], image.shape[1]),
                size,
                config,
            )
        ]

    def _spot_sheets(
        self, images: Sequence[Image], sheets: Sequence[tuple[int, Sheet]]
    ) -> list[list[TextInstance]]:
        """Return the words of each sheet, polygons in pixels of its photograph."""
        found: list[list[TextInstance]] = [[] for _ in sheets]
        limit = _SHEET_BATCH if self._engine.wants_batches else 1
        for batch in group_by_size([sheet for _, sheet in sheets], limit):
            encoded = self._engine.encode(
                np.stack([sheets[at][1].cut(images[sheets[at][0]]) for at in batch])
            )
            frames = [sheets[at][1].to_photo for at in batch]
            regions = [
                region
                for place, to_photo in enumerate(frames)
                for region in self._find_regions(encoded.probability[place], place)
                if to_photo(region.polygon) is not None
            ]
            for at, words in zip(batch, self._embed(encoded, regions, frames), strict=True):
                found[at] = words
        return found

    def _recognize(
        self,
        images: Sequence[Image],
        found: list[list[TextInstance]],
        augment: bool = False,
        min_confidence: float = 0.0,
    ) -> list[list[TextInstance]]:
        if self.recognizer is None:
            return found
        return self.recognizer.read_instances(images, found, augment, min_confidence)

    def _read_rearranged(
        self, image: Image, read: Sequence[TextInstance], config: ProposalConfig
    ) -> list[TextInstance]:
        """Return the words of ``image`` whose letters stand below each other, and the mirrored ones.

        Args:
            image: HWC uint8 RGB.
            read: all that was read in it, doubtful readings included.
            config: of proposals.
        """
        if self.recognizer is None:
            return []
        found = [read_stack(stack, image, self.recognizer) for stack in find_stacks(read)]
        words = [
            with_reading(self._embed_picture(stack.lay_out(image), stack.polygon, stack.score), reading)
            for stack, reading in (word for word in found if word is not None)
        ]
        if has_mirrored_words(image, read, self.recognizer):
            flipped = flip(image)
            [mirrored] = self._recognize([flipped], self.propose([flipped], config))
            words += select_mirrored(mirrored, read, image.shape[1])
        return words

    def _embed_picture(self, picture: Image, polygon: Polygon, score: float) -> TextInstance:
        """Embed the word that fills ``picture`` (H, W, 3), on a sheet like those of close-ups.

        Args:
            picture: at most ``_PICTURE_SHEET`` pixels high, with the edges.
            polygon: of the instance that is returned.
            score: of it.
        """
        height, width = picture.shape[:2]
        room = next((size for size in _PICTURE_WIDTHS if size >= width), _PICTURE_WIDTHS[-1])
        if width > room:
            picture = np.asarray(cv2.resize(picture, (room, height), interpolation=cv2.INTER_AREA), np.uint8)
        sheet = np.zeros((_PICTURE_SHEET, room + 2 * _PICTURE_EDGE, 3), np.uint8)
        sheet[_PICTURE_EDGE:, _PICTURE_EDGE:][:height, : picture.shape[1]] = picture
        region = _Region(0, 0, extent(picture) + np.float32(_PICTURE_EDGE), score)
        [[word]] = self._embed(self._engine.encode(sheet[np.newaxis]), [region], [lambda _: polygon])
        return word

    def _detect(self, encoded: EncodedImages, plans: Sequence[ResizePlan]) -> list[_Region]:
        stride = self._config.detector.stride
        return [
            region
            for photo, plan in enumerate(plans)
            for region in self._find_regions(
                encoded.probability[photo, : -(-plan.height // stride), : -(-plan.width // stride)], photo
            )
        ]

    def read(
        self, images: Sequence[Image], polygons: Sequence[Sequence[Polygon]], augment: bool = False
    ) -> list[list[TextInstance]]:
        """Embed and read the words at given outlines.

        Args:
            images: HWC uint8 RGB, of any sizes.
            polygons: one list an image, (P, 2) float32 in its own pixels, from where reading starts.
            augment: whether low-confidence words are read again, tilted (test-time augmentation).

        Returns:
            One instance a polygon, in order, each with score 1.
        """
        encoded, plans = self._encode(images, Resize(self._config.longer_side))
        regions = [
            _Region(photo, word, plan.scale(polygon), 1.0)
            for photo, (plan, words) in enumerate(zip(plans, polygons, strict=True))
            for word, polygon in enumerate(words)
        ]
        return self._recognize(
            images, self._embed(encoded, regions, [plan.inverse for plan in plans]), augment
        )

    def _encode(self, images: Sequence[Image], resize: Resize) -> tuple[EncodedImages, list[ResizePlan]]:
        plans = [resize.plan(*image.shape[:2]) for image in images]
        return self._engine.encode(
            _stack([plan.forward(image) for plan, image in zip(plans, images, strict=True)])
        ), plans

    def _find_regions(self, probability: NDArray[np.float32], photo: int) -> list[_Region]:
        detector = self._config.detector
        found = find_polygons(probability, detector)
        outlines = len(detector.binarization) * self._passes
        return [
            _Region(photo, word, reading, count / outlines)
            for word, count in group_outlines(found, self._config.proposals.duplicate_iou).items()
            for reading in possible_readings(found[word])
        ]

    def _embed(
        self, encoded: EncodedImages, regions: Sequence[_Region], frames: Sequence[_ToPhoto]
    ) -> list[list[TextInstance]]:
        """Embed and read all regions; of several readings of a word the most confident is kept.

        Args:
            encoded: the images.
            regions: in pixels of the images.
            frames: how a polygon of each image comes back to its photograph.
        """
        found: list[dict[int, TextInstance]] = [{} for _ in frames]
        if not regions:
            return [[] for _ in frames]
        columns, margin = self._config.embedder.region[1], self._config.embedder.margin
        edges = np.stack([region_edges(region.polygon, columns, margin) for region in regions])
        owner = np.array([region.photo for region in regions])
        readings = self._engine.read_regions(encoded, edges, owner)
        classes, confidences = decode_best_path(readings.logits)
        # With a recognizer they are not needed: it has its own.
        posteriors = [] if self.recognizer else pack_posteriors(readings.logits, self._charset)
        for i, (region, row, confidence) in enumerate(
            zip(regions, classes.tolist(), confidences.tolist(), strict=True)
        ):
            best = found[region.photo].get(region.word)
            polygon = frames[region.photo](region.polygon)
            if polygon is not None and (best is None or confidence > best.confidence):
                found[region.photo][region.word] = TextInstance(
                    polygon,
                    region.score,
                    self._charset.decode(row),
                    confidence,
                    readings.embeddings[i],
                    ctc_posteriors=posteriors[i] if posteriors else b"",
                )
        return [list(words.values()) for words in found]


def _stack(images: Sequence[Image]) -> NDArray[np.uint8]:
    """Return images of any sizes as one array, padded with zeros on the right and below."""
    height, width = (max(image.shape[axis] for image in images) for axis in (0, 1))
    batch = np.zeros((len(images), height, width, 3), np.uint8)
    for slot, image in zip(batch, images, strict=True):
        slot[: image.shape[0], : image.shape[1]] = image
    return batch
