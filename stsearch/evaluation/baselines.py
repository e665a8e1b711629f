"""Other OCR engines behind the interface of our spotter, for comparison.

An engine reads lines. Each counts as its words and as a whole, and ranks by 1 - edit distance / longer length
(the spotter baseline of PSTR); nothing is embedded. Lines are not words, so detection is not compared.
"""

from __future__ import annotations

import csv
import logging
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stsearch.errors import ImageError, UsageError
from stsearch.geometry.polygons import box
from stsearch.text.charset import ALPHANUMERIC, split_words
from stsearch.types import Image, ModelInfo, Polygon, TextInstance

FULL_SIZE = 1 << 16
"""Longer than any photograph: engines get them as they are."""

_NO_EMBEDDING = np.ones(1, np.float32)
_EDIT_SIMILARITY_ALONE = 1.0
_SPARSE_TEXT = "11"  # Tesseract's page segmentation for photographs


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A line of text that an engine read."""

    text: str
    polygon: Polygon  # (P, 2) float32, pixels of the image


class OcrSpotter:
    """Finds the words of photographs by reading their lines.

    Attributes:
        name: of the engine, with its version.
        info: the description that a gallery keeps.
        decode_side: pixels on the longer side of a photograph that it uses at most.
        threads: 0, because the engines share out the cores themselves.
    """

    threads = 0

    def __init__(self, name: str, read: Callable[[Image], Sequence[Line]]) -> None:
        """Take the name of an engine, and a function that reads the lines of an HWC uint8 RGB image."""
        self.name = name
        self.info = ModelInfo(name, "", ALPHANUMERIC, 1, FULL_SIZE, transcript_weight=_EDIT_SIMILARITY_ALONE)
        self.decode_side = FULL_SIZE
        self._read = read

    def spot(self, images: Sequence[Image]) -> list[list[TextInstance]]:
        """Return the words of each image (HWC uint8 RGB), polygons of their lines in its own pixels."""
        return [list(as_instances(self._read(image))) for image in images]


class EditSimilarity:
    """The query encoder of an engine: transcripts alone are compared."""

    def __init__(self, info: ModelInfo) -> None:
        """Take the description of the engine that a gallery keeps."""
        self.info = info

    def __call__(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Return (Q, 1) float32, the same for every word."""
        return np.ones((len(words), 1), np.float32)


def as_instances(lines: Sequence[Line]) -> Iterator[TextInstance]:
    """Yield the words of every line, and every line of several words as a whole; each word once."""
    places: dict[str, Polygon] = {}
    for line in lines:
        words = split_words(line.text)
        for word in filter(None, (*words, "".join(words))):
            places.setdefault(word, line.polygon)
    for word, polygon in places.items():
        yield TextInstance(polygon, 1.0, word, 1.0, _NO_EMBEDDING)


def load_baseline(name: str) -> OcrSpotter:
    """Load an engine by its name in ``BASELINES``.

    Raises:
        UsageError: There is no such engine, or it is not installed; the message says how to get it.
    """
    if name not in BASELINES:
        raise UsageError(f"no baseline {name!r}; choose one of: {', '.join(sorted(BASELINES))}")
    return BASELINES[name]()


def load_rapidocr() -> OcrSpotter:
    """Load RapidOCR; its wheel carries the PP-OCR models.

    Raises:
        UsageError: It is not installed.
    """
    try:
        from importlib.metadata import version

        from rapidocr import RapidOCR
    except ImportError as error:
        raise UsageError("RapidOCR is not installed: pip install 'stsearch[peers]'") from error
    engine = RapidOCR()
    logging.getLogger("RapidOCR").setLevel(logging.ERROR)  # it warns of every photograph without text

    def read(image: Image) -> list[Line]:
        # Any: the type it returns depends on arguments, which its annotations do not say. It wants BGR.
        found: Any = engine(image[..., ::-1])
        if not found.txts:
            return []
        quads = np.asarray(found.boxes, np.float32)
        return [Line(text, quad) for text, quad in zip(found.txts, quads, strict=True)]

    return OcrSpotter(f"RapidOCR {version('rapidocr')}", read)


def load_tesseract() -> OcrSpotter:
    """Find the program Tesseract.

    Raises:
        UsageError: It is not installed.
    """
    program = shutil.which("tesseract")
    if program is None:
        raise UsageError("Tesseract is not installed: apt-get install tesseract-ocr")
    version = _run([program, "--version"]).split("\n")[0]

    def read(image: Image) -> list[Line]:
        height, width = image.shape[:2]
        picture = b"P6 %d %d 255\n" % (width, height) + image.tobytes()
        table = _run([program, "stdin", "stdout", "--psm", _SPARSE_TEXT, "tsv"], picture)
        return list(_lines_of_table(table))

    return OcrSpotter(version.capitalize(), read)


BASELINES: Mapping[str, Callable[[], OcrSpotter]] = {
    "rapidocr": load_rapidocr,
    "tesseract": load_tesseract,
}
"""Every engine by the name that ``stsearch eval --baseline`` takes."""


def _run(command: Sequence[str], stdin: bytes = b"") -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)
    if done.returncode:
        raise ImageError(f"{command[0]} failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode()


def _lines_of_table(table: str) -> Iterator[Line]:
    """Yield the lines in Tesseract's table of words."""
    words: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    boxes: defaultdict[tuple[str, ...], list[list[float]]] = defaultdict(list)
    for row in csv.DictReader(table.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE):
        if (row["text"] or "").strip():
            place = row["block_num"], row["par_num"], row["line_num"]
            left, top, width, height = (float(row[name]) for name in ("left", "top", "width", "height"))
            words[place].append(row["text"])
            boxes[place].append([left, top, left + width, top + height])
    for line, texts in words.items():
        corners = np.array(boxes[line], np.float32)
        (left, top), (right, bottom) = corners[:, :2].min(axis=0), corners[:, 2:].max(axis=0)
        yield Line(" ".join(texts), box(left, top, right, bottom))
