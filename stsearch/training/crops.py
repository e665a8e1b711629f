"""Training batches of rectified word crops: rendered, cut from real photographs, or cropped by others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stsearch.config import Canvas, RecognizerConfig, StageConfig
from stsearch.geometry.polygons import box, extent, rectify, rotation_matrix
from stsearch.text.charset import strip_accents
from stsearch.training.augment import as_detected, spoil, vary_colours
from stsearch.types import Image, Polygon, WordLabel

RENDERED_SIZES = ((32, 128), (48, 192), (64, 256))
"""Pictures that words are rendered in, before they are cut out."""
_SIZE_SHARES = (0.45, 0.35, 0.2)
_FRAMED_SHARE = 0.35  # are cut by a box around them, as many sets of crops are: tilted words stay so
_FRAME_TILT = 9.0  # degrees, standard deviation of what such a box is off the upright
_SHORTEST_TURNED = 3  # characters: a single "o" looks the same on its head


@dataclass(frozen=True, slots=True, eq=False)
class CropBatch:
    """One step's input of the recognizer: R labelled crops, then B - R that stand on their heads."""

    images: Tensor  # (B, 3, H, W) uint8
    words: list[str]  # R labels

    def to(self, device: torch.device) -> CropBatch:
        """Return the batch with its tensors on ``device``."""
        return CropBatch(self.images.to(device, non_blocking=True), self.words)


@dataclass(frozen=True, slots=True, eq=False)
class LabelledCrop:
    """A word in a picture, before it is cut out."""

    image: Image
    polygon: Polygon
    label: str


def readable_label(transcript: str, config: RecognizerConfig) -> str:
    """Return what the recognizer should read for ``transcript``, or nothing if it cannot be taught."""
    label = "".join(c for c in strip_accents(transcript) if c in config.characters)
    return label if len(label) <= config.max_length else ""


def words_of(image: Image, words: Sequence[WordLabel], config: RecognizerConfig) -> list[LabelledCrop]:
    """Return the words of a picture that can be taught."""
    labelled = ((word.polygon, readable_label(word.transcript, config)) for word in words if word.legible)
    return [LabelledCrop(image, polygon, label) for polygon, label in labelled if label]


def whole_picture(image: Image, transcript: str, config: RecognizerConfig) -> list[LabelledCrop]:
    """Return a crop that others made, as the word that fills its picture."""
    return words_of(image, [WordLabel(extent(image), transcript, True)], config)


def _frame(points: Polygon, degrees: float = 0.0) -> Polygon:
    """Return the (4, 2) rectangle around ``points`` that is turned by ``degrees``, clockwise."""
    axes = rotation_matrix(np.deg2rad(degrees))
    turned = points @ axes.T
    (left, top), (right, bottom) = turned.min(axis=0), turned.max(axis=0)
    return np.asarray(box(left, top, right, bottom) @ axes, np.float32)


def _shows(image: Image, polygon: Polygon) -> bool:
    """Return whether all of ``polygon`` lies within the picture."""
    return bool((polygon >= 0).all() and (polygon <= image.shape[1::-1]).all())


def rendered_size(random: np.random.Generator) -> tuple[int, int]:
    """Draw the (H, W) of a picture to render a word in."""
    return RENDERED_SIZES[random.choice(len(RENDERED_SIZES), p=_SIZE_SHARES)]


def outline(word: LabelledCrop, random: np.random.Generator) -> Polygon:
    """Draw where a word is cut out: along its own outline, or along a box around it, upright or tilted."""
    upright = _frame(word.polygon)
    runs_down = np.ptp(upright[:, 1]) > 1.2 * np.ptp(upright[:, 0])  # it would lie on its side
    if random.random() > _FRAMED_SHARE or runs_down:
        return word.polygon
    frame = _frame(word.polygon, random.normal(0, _FRAME_TILT))
    return frame if _shows(word.image, frame) else upright


def cut(word: LabelledCrop, canvas: Canvas, stage: StageConfig, random: np.random.Generator) -> Image:
    """Cut a word out as an inexact detector would, and vary how it looks."""
    polygon = as_detected(outline(word, random), stage, random)
    crop = rectify(word.image, polygon, (canvas.height, canvas.width), random.uniform(0, 0.24))
    return spoil(vary_colours(crop, random) if random.random() < 0.6 else crop, random)


def collate_crops(
    words: Sequence[LabelledCrop], canvas: Canvas, stage: StageConfig, random: np.random.Generator
) -> CropBatch:
    """Cut all ``words``; the last of them, a share that the stage names, are put on their heads."""
    turned = round(stage.turned_share * len(words))
    # Short words go first: they are never turned.
    ordered = sorted(words, key=lambda word: len(word.label) >= _SHORTEST_TURNED)
    crops = [cut(word, canvas, stage, random) for word in ordered]
    upright = len(crops) - turned
    crops[upright:] = [crop[::-1, ::-1] for crop in crops[upright:]]
    images = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).contiguous()
    return CropBatch(images, [word.label for word in ordered[:upright]])
