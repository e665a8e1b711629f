"""Query by image: the query and the encoder for the word that a picture shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from stsearch.geometry.polygons import TALL_RATIO, extent
from stsearch.search.query import Query
from stsearch.text.charset import normalize
from stsearch.types import Embedding, Image, ModelInfo, Polygon, TextInstance

_SHORTER_SIDE = 32
"""Pixels to which a picture is scaled first; the spotter doubles small ones, to the height of words in
training. Of 16 crops of the rendered gallery 15 were most similar to the word they were cut from; at their
own size 10, at 64 pixels 13, and a border around them changed nothing."""


class WordSpotter(Protocol):
    """Embeds and reads words with known outlines, such as ``spotter.Spotter`` does."""

    info: ModelInfo

    def read(
        self, images: Sequence[Image], polygons: Sequence[Sequence[Polygon]], augment: bool = False
    ) -> list[list[TextInstance]]:
        """Return one instance a polygon, in order, for each image (HWC uint8 RGB)."""


class PictureEncoder:
    """A query encoder that returns the embedding of a photographed word for any query.

    Attributes:
        info: of the weights; the weight of the transcript is scaled by the confidence of its reading.
    """

    def __init__(self, info: ModelInfo, embedding: Embedding) -> None:
        self.info = info
        self._embedding = embedding

    def __call__(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Return (Q, D) float32, unit rows, for Q words."""
        return np.repeat(self._embedding[None], len(words), axis=0)


def query_by_image(spotter: WordSpotter, picture: Image, name: str) -> tuple[Query, PictureEncoder]:
    """Return the query for the word that a picture shows, called ``name``, and the encoder to search with.

    Args:
        spotter: of the weights that filled the gallery.
        picture: (H, W, 3) uint8 RGB, one word that fills it.
        name: of the picture.
    """
    return query_by_word(_read_word(spotter, picture), spotter.info, name)


def query_by_word(word: TextInstance, info: ModelInfo, name: str) -> tuple[Query, PictureEncoder]:
    """Return the query for what looks and reads like ``word``, called ``name``, and its encoder.

    Args:
        word: as it was found in a photograph, by the weights that filled the gallery.
        info: of these weights.
        name: of the query.
    """
    confidence = _char_confidence(word)
    info = replace(
        info,
        transcript_weight=info.transcript_weight * confidence,
        likelihood_weight=info.likelihood_weight * confidence,
    )
    return Query.of_word(name, normalize(word.transcript)), PictureEncoder(info, word.embedding)


def _read_word(spotter: WordSpotter, picture: Image) -> TextInstance:
    """Return ``picture`` as one text instance, in the rotation that is read with the highest confidence."""
    height, width = picture.shape[:2]
    scale = _SHORTER_SIDE / min(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = np.asarray(cv2.resize(picture, size, interpolation=method), np.uint8)
    # The pixels are turned, not the outline: the network was trained on features of upright text.
    turns = (0, 1, 3) if height > TALL_RATIO * width else (0,)
    pictures = [np.ascontiguousarray(np.rot90(scaled, turn)) for turn in turns]
    readings = spotter.read(pictures, [[extent(each)] for each in pictures], augment=True)
    return max((reading for [reading] in readings), key=_char_confidence)


def _char_confidence(word: TextInstance) -> float:
    """Return the mean confidence of a character of ``word``; 0 without a letter or digit."""
    return word.char_confidence if normalize(word.transcript) else 0.0
