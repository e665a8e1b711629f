"""Frozen records and array aliases that cross layers; numpy only.

Coordinates are (x, y) float32 pixels of the photograph as displayed, origin at the outer corner of the
top-left pixel. Polygons run clockwise from the corner where reading starts; quads are TL, TR, BR, BL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # (H, W, 3) RGB
Polygon = NDArray[np.float32]  # (P, 2), P >= 3
Quad = NDArray[np.float32]  # (4, 2)
Embedding = NDArray[np.float32]  # (D,) unit length

PHOTO_BATCH = 4
"""Photographs of a transaction on a CPU; at most as many are spotted at the same time."""


@dataclass(frozen=True, slots=True, eq=False)
class WordLabel:
    """The ground truth of one text instance."""

    polygon: Polygon  # (P, 2) float32, clockwise from where reading starts
    transcript: str  # "" when unknown
    legible: bool  # False: don't care, neither a positive nor a negative


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A labelled photograph on disk."""

    image: Path
    words: tuple[WordLabel, ...]
    partial: bool = False  # True: some text is not labelled, so unlabelled area is never a negative


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A labelled image in memory: rendered, or cut from a photograph."""

    image: Image
    words: tuple[WordLabel, ...]
    partial: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class TextInstance:
    """One word found in a photograph."""

    polygon: Polygon  # (P, 2) float32
    score: float  # of detection, in [0, 1]: the share of proposed outlines that agree with it
    transcript: str  # "" when nothing is legible
    confidence: float  # product of character probabilities in [0, 1]
    embedding: Embedding  # (D,) float32, unit length
    characters: tuple[float, ...] = ()  # confidence of each character of the transcript; empty: not known
    ctc_posteriors: bytes = b""  # class probabilities of each frame (``text.ctc``); empty: not known
    page: int | None = (
        None  # of a file with several, or the frame of an animation, from 1; polygons lie in it
    )

    def __repr__(self) -> str:
        """Return what is read, how surely and where, without the arrays."""
        return f"<TextInstance {self.transcript!r} confidence={self.confidence:.2f}{shown_place(self)}>"

    @property
    def char_confidence(self) -> float:
        """Return the mean (geometric) confidence of a character, in [0, 1]."""
        return char_confidence(self.confidence, self.transcript)


class Placed(Protocol):
    """What stands somewhere in a photograph."""

    @property
    def polygon(self) -> Polygon:
        """(P, 2) float32, in pixels of the photograph."""

    @property
    def page(self) -> int | None:
        """Of the photograph, from 1; None where it has one."""


def shown_place(placed: Placed) -> str:
    """Return the page and the upright box x,y,w,h in whole pixels; nothing of what is nowhere."""
    page = "" if placed.page is None else f" page={placed.page}"
    if not len(placed.polygon):
        return page
    left, top = placed.polygon.min(axis=0)
    right, bottom = placed.polygon.max(axis=0)
    return f"{page} box={left:.0f},{top:.0f},{right - left:.0f},{bottom - top:.0f}"


def char_confidence(confidence: float, text: str) -> float:
    """Return the geometric mean of the character probabilities whose product is ``confidence``.

    So long words are at no disadvantage; 1 or more characters are assumed.

    >>> char_confidence(0.25, "ab")
    0.5
    """
    return float(confidence ** (1 / max(len(text), 1)))


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The properties of weights that a gallery depends on."""

    name: str
    sha256: str  # of all tensors, as ``weights.card.Card.identity`` joins their checksums
    charset: str  # characters, in class order
    dim: int  # length of an embedding
    longer_side: int  # photographs are read at this many pixels on the longer side
    # share of transcript edit similarity in the ranking score, chosen on validation
    transcript_weight: float = 0.5
    # share of the likelihood of the word in it, where CTC posteriors are known; likewise
    likelihood_weight: float = 0.0
    calibration: tuple[
        tuple[float, ...], ...
    ] = ()  # from scores to probabilities (``search.calibration``); of no importance to a gallery


class PhotoSpotter(Protocol):
    """Finds the words of photographs, as ``spotting.spotter.Spotter`` does."""

    info: ModelInfo

    @property
    def decode_side(self) -> int:
        """Pixels on the longer side of a photograph, or of its windows; more are of no use to it."""

    @property
    def threads(self) -> int:
        """Threads that may each spot a photograph at the same time; 0: it is faster with batches."""

    def spot(self, images: Sequence[Image]) -> list[list[TextInstance]]:
        """Return the text instances of each image (HWC uint8 RGB), polygons in its own pixels."""
