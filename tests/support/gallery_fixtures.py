"""Galleries without a network: embeddings count the letters of a word, a colour says which word is read."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from stsearch.gallery.gallery import Gallery
from stsearch.gallery.records import PhotoFile, Spotted
from stsearch.gallery.request import CandidateRequest
from stsearch.text.charset import ALPHANUMERIC, normalize
from stsearch.types import PHOTO_BATCH, Image, ModelInfo, Polygon, TextInstance
from stsearch.worker_pool import usable_cores

DIM = len(ALPHANUMERIC)
MODEL = ModelInfo("letters", "ab" * 32, ALPHANUMERIC, DIM, 64, 0.5)
OTHER_MODEL = ModelInfo("others", "cd" * 32, ALPHANUMERIC, DIM, 64, 0.5)
FIRST_FORMAT = {
    "contents": "id, sha256, height, width, taken, checksum",
    "images": "path, size, mtime_ns, status, content_id, reason, checksum",
    "instances": (
        "id, content_id, polygon, score, transcript, folded, confidence, vector, characters, ctc_posteriors,"
        " checksum"
    ),
}
"""The columns of the tables of a catalog of the first format."""


class Done(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]
"""Runs ``stsearch`` with arguments in the process of the test; the fixture ``run`` is one."""


def embed(word: str) -> NDArray[np.float32]:
    counts = np.array([normalize(word).count(c) for c in ALPHANUMERIC], np.float32)
    return np.asarray(counts / max(float(np.linalg.norm(counts)), 1e-6), np.float32)


def instance(word: str, x: float = 1.0, score: float = 0.9) -> TextInstance:
    quad = np.array([[x, 2], [x + 20, 2], [x + 20, 10], [x, 10]], np.float32)
    return TextInstance(quad, score, word, 0.8, embed(word))


def nearest(word: str, count: int = 1, words: Sequence[str] = ()) -> CandidateRequest:
    """Return the request for the instances most similar to ``word``, and those that read ``words``."""
    return CandidateRequest(tuple(words), {word: embed(word)}, count)


def spotted(path: str, *words: str) -> Spotted:
    instances = [instance(word, x=30.0 * i) for i, word in enumerate(words)]
    return Spotted(PhotoFile(path, 100, 1), f"sha of {path}", 48, 64, instances)


def make_gallery(photos: Path, words: Mapping[str, Sequence[str]]) -> Gallery:
    """Return an open gallery of ``photos``: the words of each photograph by its path."""
    gallery = Gallery.create(photos / ".stsearch", photos, MODEL)
    gallery.add([spotted(path, *found) for path, found in words.items()])
    gallery.finish()
    return gallery


def set_in_lines(path: str, *lines: str, height: float = 20.0, indent: float = 0.0) -> Spotted:
    """Return a photograph of text set in lines: letters half as wide as high, half a height between words."""
    instances = []
    for number, line in enumerate(lines):
        x, y = indent * number, 1.5 * height * number
        for word in line.split():
            right, bottom = x + 0.5 * height * len(word), y + height
            quad = np.array([[x, y], [right, y], [right, bottom], [x, bottom]], np.float32)
            instances.append(TextInstance(quad, 0.9, word, 0.8, embed(word), (0.95,) * len(word)))
            x = right + 0.5 * height
    return Spotted(PhotoFile(path, 100, 1), f"sha of {path!a}", 480, 640, instances)


def make_set_gallery(photos: Path, lines: Mapping[str, Sequence[str]]) -> Gallery:
    """Return an open gallery of photographs of text set in lines, by the path of each."""
    gallery = Gallery.create(photos / ".stsearch", photos, MODEL)
    gallery.add([set_in_lines(path, *text) for path, text in lines.items()])
    gallery.finish()
    return gallery


class LetterEncoder:
    """A query encoder that needs no weights."""

    def __init__(self, info: ModelInfo = MODEL) -> None:
        self.info = info

    def __call__(self, words: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([embed(word) for word in words])


class ColourSpotter:
    """A spotter that needs no weights: the red of a photograph's first pixel picks its one word."""

    WORDS = ("coffee", "bakery", "exit", "hotel")

    threads = 0

    def __init__(self, info: ModelInfo = MODEL, reads: bool = True) -> None:
        self.info = info
        self.reads = reads
        self.decode_side = info.longer_side
        self.device, self.precision = "cpu", "none"
        self.seen = 0

    def for_indexing(self, threads: int = 0) -> Self:
        self.threads = threads or min(usable_cores(), PHOTO_BATCH)
        return self

    def read(
        self, images: Sequence[Image], polygons: Sequence[Sequence[Polygon]], augment: bool = False
    ) -> list[list[TextInstance]]:
        return [found * len(each) for found, each in zip(self.spot(images), polygons, strict=True)]

    def spot(self, images: Sequence[Image]) -> list[list[TextInstance]]:
        self.seen += len(images)
        return [[instance(self.WORDS[int(image[0, 0, 0]) // 10 % len(self.WORDS)])] for image in images]


class InterruptedSpotter(ColourSpotter):
    """Finds the words of the photograph that it is given first; Ctrl-C comes with the next."""

    threads = 1

    def spot(self, images: Sequence[Image]) -> list[list[TextInstance]]:
        if self.seen:
            raise KeyboardInterrupt
        return super().spot(images)


def photo_bytes(word: str, blue: int = 0, size: tuple[int, int] = (64, 48)) -> bytes:
    """Return a PNG in which ``ColourSpotter`` reads ``word``; another ``blue`` makes another content."""
    buffer = io.BytesIO()
    PIL.Image.new("RGB", size, (10 * ColourSpotter.WORDS.index(word) + 5, 0, blue)).save(buffer, "PNG")
    return buffer.getvalue()
