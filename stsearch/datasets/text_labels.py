"""Labels in text files, one a photograph: ICDAR 2013 and 2015, Total-Text, CTW1500, MSRA-TD500, COCO-Text."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from stsearch.datasets.labelled_folder import parse_lines, parse_polygon, read_text
from stsearch.datasets.layout import read_label_files
from stsearch.errors import DataError
from stsearch.geometry.polygons import box, tilt_polygon
from stsearch.types import Polygon, Sample, WordLabel

NOWHERE: Polygon = np.zeros((0, 2), np.float32)
"""The outline of a word without a position: it is labelled for its whole photograph."""

_TOTAL_TEXT = re.compile(
    r"x: \[\[(?P<x>[^]]*)\]\],\s*y: \[\[(?P<y>[^]]*)\]\]"
    r".*?transcriptions: \[(?P<text>u?'(?:[^'\\]|\\.)*'|u?\"(?:[^\"\\]|\\.)*\")\]",
    re.DOTALL,
)

Parts = Sequence[Path]


def read_icdar15(parts: Parts) -> list[Sample]:
    """Read ``gt_img_1.txt`` and its like: ``x1,y1,...,x4,y4,transcription``, ``###`` is don't care.

    Args:
        parts: folder of labels, folder of photographs.

    Raises:
        DataError: A photograph is missing, or a line is malformed.
    """
    return read_label_files(
        parts, "gt_*.txt", lambda stem: stem.removeprefix("gt_"), _lines_of(_icdar15_word)
    )


def read_icdar13(parts: Parts) -> list[Sample]:
    """Read ``gt_img_1.txt`` and its like: ``left, top, right, bottom, "transcription"``.

    Raises:
        DataError: A photograph is missing, or a line is malformed.
    """
    return read_label_files(
        parts, "gt_*.txt", lambda stem: stem.removeprefix("gt_"), _lines_of(_icdar13_word), boxes=True
    )


def read_ctw1500(parts: Parts) -> list[Sample]:
    """Read ``0001001.txt``, the labels of ``1001.jpg``: ``x1,y1,...,xn,yn,####transcription``, one text line.

    Raises:
        DataError: A photograph is missing, or a line is malformed.
    """
    return read_label_files(parts, "*.txt", lambda stem: stem.lstrip("0"), _lines_of(_ctw1500_line))


def read_total_text(parts: Parts) -> list[Sample]:
    """Read ``poly_gt_img1.txt`` and its like, the text form of the labels; ``#`` is don't care.

    Raises:
        DataError: A photograph is missing, or a label is malformed.
    """
    return read_label_files(
        parts, "poly_gt_*.txt", lambda stem: stem.removeprefix("poly_gt_"), _total_text_words
    )


def read_td500(parts: Parts) -> list[Sample]:
    """Read ``IMG_0059.gt``, the labels of ``IMG_0059.JPG`` beside it: text lines as rotated boxes.

    A line is ``index difficult x y width height angle``: a box that is rotated about its centre by ``angle``
    radians. Difficult lines are don't care; there are no transcripts.

    Raises:
        DataError: A photograph is missing, or a line is malformed.
    """
    return read_label_files([parts[0], parts[0]], "*.gt", str, _lines_of(_td500_line), boxes=True)


def read_coco_text(parts: Parts) -> list[Sample]:
    """Read the gallery of COCO-Text Retrieval: the words of each photograph, one a line, without positions.

    Args:
        parts: file of queries, folder of words, folder of photographs.

    Raises:
        DataError: A photograph is missing.
    """
    samples = read_label_files(
        parts[1:], "*.txt", str, _lines_of(lambda line: WordLabel(NOWHERE, line.strip(), True))
    )
    return [Sample(sample.image, sample.words, partial=True) for sample in samples]


def read_lines(path: Path) -> list[str]:
    """Return the lines of a list, such as of queries, without the white space around them.

    Raises:
        DataError: It is missing or empty.
    """
    return parse_lines(path, str.strip)


def _lines_of(parse: Callable[[str], WordLabel]) -> Callable[[Path], list[WordLabel]]:
    return lambda path: parse_lines(path, parse, may_be_empty=True)


def _icdar15_word(line: str) -> WordLabel:
    *corners, transcript = line.split(",", 8)  # a transcription may hold commas
    polygon = _polygon(corners, 8)
    return WordLabel(polygon, transcript, legible=transcript != "###")


def _icdar13_word(line: str) -> WordLabel:
    *sides, quoted = re.split(r",?\s+|,", line, maxsplit=4)
    if len(sides) != 4:
        raise ValueError(f"not left, top, right, bottom and a transcription: {line!r}")
    left, top, right, bottom = map(float, sides)
    transcript = quoted.strip().removeprefix('"').removesuffix('"')
    return WordLabel(box(left, top, right, bottom), transcript, legible=transcript != "###")


def _ctw1500_line(line: str) -> WordLabel:
    points, mark, transcript = line.partition(",####")
    if not mark:
        raise ValueError("no ,#### between outline and transcription")
    return WordLabel(_polygon(points.split(",")), transcript, legible=transcript not in ("#", "###"))


def _td500_line(line: str) -> WordLabel:
    _, difficult, x, y, width, height, angle = map(float, line.split())
    polygon = tilt_polygon(box(x, y, x + width, y + height), np.rad2deg(angle))
    return WordLabel(polygon, "", legible=not difficult)


def _total_text_words(path: Path) -> list[WordLabel]:
    # Not line by line: numpy wrote the coordinates, and breaks long lists.
    text = read_text(path)
    words = []
    for found in _TOTAL_TEXT.finditer(text):
        transcript = str(ast.literal_eval(found["text"]))
        xs, ys = (found[axis].split() for axis in "xy")
        try:
            polygon = parse_polygon(list(zip(xs, ys, strict=True)))
        except ValueError as error:
            raise DataError(f"{path}: {error}") from error
        words.append(WordLabel(polygon, transcript, legible=transcript != "#"))
    if len(words) != text.count("transcriptions:"):
        raise DataError(f"{path}: {text.count('transcriptions:')} labels, {len(words)} of them understood")
    return words


def _polygon(numbers: Sequence[str], count: int | None = None) -> Polygon:
    if len(numbers) % 2 or count not in (None, len(numbers)):
        raise ValueError(f"{len(numbers)} coordinates{f' instead of {count}' if count else ''}")
    return parse_polygon(np.array(numbers, dtype=np.float32).reshape(-1, 2))
