"""Networks that find and read the words of photographs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stsearch.errors import UsageError
from stsearch.images import Decoded, decode_image
from stsearch.objects.url import Location, ObjectUrl
from stsearch.search import query_encoder
from stsearch.search.query import Query
from stsearch.search.query_by_image import PictureEncoder, query_by_image
from stsearch.types import Image, ModelInfo, TextInstance
from stsearch.weights.card import available

if TYPE_CHECKING:
    from stsearch.spotting.spotter import Spotter

Picture = Location | str | bytes | Image
"""A photograph: a path or URL, the bytes of a file, or HWC uint8 RGB."""


def available_models() -> list[str]:
    """Return the names of the weights that are installed."""
    return available()


def load(model: str = "tiny", device: str = "auto", read: bool = True, engine: str = "auto") -> Model:
    """Load the networks that find and read words.

    Args:
        model: an installed name, or a folder of weights.
        device: auto, cpu or cuda[:N].
        read: whether the recognizer reads what is found; without it, faster and with rougher transcripts.
        engine: what computes: auto (on a CPU exported graphs, else torch), openvino, onnx or torch.

    Raises:
        WeightsError: the weights are missing, damaged or of another architecture.
        DeviceError: there is no such device.
        UsageError: there is no such engine here.
    """
    from stsearch.spotting.load import load_spotter

    return Model(load_spotter(model, device, read, engine), model)


def check_device(device: str) -> None:
    """Refuse a device that is not here, before anything is loaded.

    Raises:
        DeviceError: there is no such device.
    """
    if device not in ("auto", "cpu"):
        from stsearch.weights.io import pick_device

        pick_device(device)


class Model:
    """Networks that find and read the words of photographs; :func:`load` makes one.

    Attributes:
        spotter: the networks at work.
        name: of the weights, installed, or their folder.
    """

    def __init__(self, spotter: Spotter, name: str) -> None:
        self.spotter = spotter
        self.name = name

    def __repr__(self) -> str:
        """Return the name of the weights, and where they are at work."""
        return f"<Model {self.name!r} on {self.spotter.device}>"

    @property
    def info(self) -> ModelInfo:
        """What a gallery must know of the weights."""
        return self.spotter.info

    def spot(self, picture: Picture, all_readings: bool = False) -> list[TextInstance]:
        """Find the words of one photograph, most confident first.

        Args:
            picture: a path, the bytes of a file, or HWC uint8 RGB.
            all_readings: return every way to read a word, as a gallery keeps them, and what is hardly a word
                too. Else there is one instance a word.

        Returns:
            Polygons are in pixels of the photograph as displayed (EXIF orientation applied).

        Raises:
            ImageError: it cannot be read.
            DeviceError: it does not fit into the memory of the device.
        """
        from stsearch.spotting.proposals import suppress_overlaps

        decoded = decode(picture, self.spotter.decode_side)
        [found] = self.spotter.spot([decoded.image])
        instances = found if all_readings else suppress_overlaps(found)
        return [replace(each, polygon=decoded.to_original(each.polygon)) for each in instances]

    def embed(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Return (Q, D) float32 unit rows: the embeddings of Q words, comparable to those of text instances.

        Raises:
            WeightsError: the weights are missing or damaged.
        """
        return query_encoder.load_query_encoder(self.name)(words)

    def query(self, picture: Picture, name: str = "picture") -> ImageQuery:
        """Return the query for the word that fills ``picture``, such as a crop, to search photographs with.

        Raises:
            ImageError: it cannot be read.
        """
        return ImageQuery(*query_by_image(self.spotter, decode(picture, None).image, name))


def decode(picture: Picture, longer_side: int | None) -> Decoded:
    """Return the pixels of ``picture`` as displayed, no longer than ``longer_side``.

    Raises:
        ImageError: it cannot be read.
        UsageError: an array is no picture.
    """
    if isinstance(picture, np.ndarray):
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
            raise UsageError(
                "a picture is an array of height x width x 3 (RGB) of uint8,"
                f" this one is {picture.dtype} of shape {picture.shape}"
            )
        return Decoded(picture, *picture.shape[:2])
    if not isinstance(picture, Path | ObjectUrl | str | bytes):
        raise UsageError(
            f"a picture is a path, the bytes of a file, or an array, not {type(picture).__name__};"
            " numpy.asarray(image) makes an array of a PIL image"
        )
    return decode_image(picture, longer_side)


@dataclass(frozen=True, slots=True)
class ImageQuery:
    """A query for a photographed word: its embedding, and what is read in it."""

    query: Query
    encoder: PictureEncoder

    def __repr__(self) -> str:
        """Return the name of the picture, and what is read in it."""
        return f"<ImageQuery {self.text!r} read={self.query.words[0]!r}>"

    @property
    def text(self) -> str:
        """The name of the picture."""
        return self.query.text
