"""Training batches of rectified word crops: rendered, cut from photographs, or from sets of word crops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stsearch.config import Canvas, RecognizerConfig, StageConfig
from stsearch.geometry.polygons import box, extent, rectify, rotation_matrix
from stsearch.text.charset import strip_accents
from stsearch.training.augment import degrade, perturb_outline, vary_colours
from stsearch.types import Image, Polygon, WordLabel

RENDERED_SIZES = ((32, 128), (48, 192), (64, 256))
"""(H, W) of the pictures that words are rendered in."""
_SIZE_SHARES = (0.45, 0.35, 0.2)
_BOXED_SHARE = (
    0.35  # of crops are cut along a bounding box, as in many sets of crops, where tilted words stay tilted
)
_BOX_TILT = 9.0  # degrees, standard deviation of the tilt of such a box
_MIN_FLIPPED_LENGTH = 3  # characters: a single "o" is the same upside down


@dataclass(frozen=True, slots=True, eq=False)
class CropBatch:
    """One step's input of the recognizer: R labelled crops, then B - R that are upside down."""

    images: Tensor  # (B, 3, H, W) uint8
    words: list[str]  # R labels

    def to(self, device: torch.device) -> CropBatch:
        """Return the batch with its tensors on ``device``."""
        return CropBatch(self.images.to(device, non_blocking=True), self.words)


@dataclass(frozen=True, slots=True, eq=False)
class LabelledCrop:
    """A labelled word in a picture, not cut out yet."""

    image: Image
    polygon: Polygon
    label: str


def make_label(transcript: str, config: RecognizerConfig) -> str:
    """Return the label of ``transcript``, the characters of the charset; empty if none or too many."""
    label = "".join(c for c in strip_accents(transcript) if c in config.characters)
    return label if len(label) <= config.max_length else ""


def label_words(image: Image, words: Sequence[WordLabel], config: RecognizerConfig) -> list[LabelledCrop]:
    """Return the legible words of a picture whose label is not empty."""
    labelled = ((word.polygon, make_label(word.transcript, config)) for word in words if word.legible)
    return [LabelledCrop(image, polygon, label) for polygon, label in labelled if label]


def label_whole_picture(image: Image, transcript: str, config: RecognizerConfig) -> list[LabelledCrop]:
    """Return the word of a picture that it fills, such as a crop; nothing if its label is empty."""
    return label_words(image, [WordLabel(extent(image), transcript, True)], config)


def _enclose(points: Polygon, degrees: float = 0.0) -> Polygon:
    """Return the smallest (4, 2) rectangle around ``points`` that is rotated by ``degrees``, clockwise."""
    axes = rotation_matrix(np.deg2rad(degrees))
    turned = points @ axes.T
    (left, top), (right, bottom) = turned.min(axis=0), turned.max(axis=0)
    return np.asarray(box(left, top, right, bottom) @ axes, np.float32)


def _contains(image: Image, polygon: Polygon) -> bool:
    """Return whether all of ``polygon`` lies inside the picture."""
    return bool((polygon >= 0).all() and (polygon <= image.shape[1::-1]).all())


def draw_rendered_size(random: np.random.Generator) -> tuple[int, int]:
    """Draw the (H, W) of a picture to render a word in, at random."""
    return RENDERED_SIZES[random.choice(len(RENDERED_SIZES), p=_SIZE_SHARES)]


def draw_outline(word: LabelledCrop, random: np.random.Generator) -> Polygon:
    """Draw an outline to cut a word along: its label, or a bounding box, upright or tilted."""
    upright = _enclose(word.polygon)
    runs_down = np.ptp(upright[:, 1]) > 1.2 * np.ptp(upright[:, 0])  # in a box such a word would be sideways
    if random.random() > _BOXED_SHARE or runs_down:
        return word.polygon
    frame = _enclose(word.polygon, random.normal(0, _BOX_TILT))
    return frame if _contains(word.image, frame) else upright


def cut_crop(word: LabelledCrop, canvas: Canvas, stage: StageConfig, random: np.random.Generator) -> Image:
    """Cut out a word along an outline with the errors of a detector, and augment its pixels."""
    polygon = perturb_outline(draw_outline(word, random), stage, random)
    crop = rectify(word.image, polygon, (canvas.height, canvas.width), random.uniform(0, 0.24))
    return degrade(vary_colours(crop, random) if random.random() < 0.6 else crop, random)


def collate_crops(
    words: Sequence[LabelledCrop], canvas: Canvas, stage: StageConfig, random: np.random.Generator
) -> CropBatch:
    """Cut out all ``words``; the last ones, ``stage.turned_share`` of them, are turned upside down."""
    turned = round(stage.turned_share * len(words))
    # Short words come first: they are never turned.
    ordered = sorted(words, key=lambda word: len(word.label) >= _MIN_FLIPPED_LENGTH)
    crops = [cut_crop(word, canvas, stage, random) for word in ordered]
    upright = len(crops) - turned
    crops[upright:] = [crop[::-1, ::-1] for crop in crops[upright:]]
    images = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).contiguous()
    return CropBatch(images, [word.label for word in ordered[:upright]])
