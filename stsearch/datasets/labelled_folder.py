"""Labelled and unlabelled photographs on disk, read into records; pixels are not decoded here.

House format: a folder with ``annotations.jsonl``, one photograph a line:
``{"image": "images/a.jpg", "height": 640, "width": 960, "instances": [{"polygon": [[x, y], ...],
"transcript": "EXIT" | null, "legible": true}]}``.
Polygons are in pixels of the photograph as displayed, its EXIF orientation applied.
Word crops: a folder with ``labels.tsv``, ``file TAB transcript`` a line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from stsearch.errors import DataError
from stsearch.types import Polygon, Sample, WordLabel

Record = TypeVar("Record")

ANNOTATIONS = "annotations.jsonl"
WORD_LABELS = "labels.tsv"
PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


@dataclass(frozen=True, slots=True)
class Labelling:
    """How far the labels of a set can be trusted."""

    partial: bool = False  # some text carries no polygon
    weak: bool = False  # polygons are rough and carry no transcript


LABELLINGS: Mapping[str, Labelling] = {
    "svt": Labelling(partial=True),  # only the words of a lexicon are boxed
    "mlt17": Labelling(weak=True),  # polygons of shrunken word masks, about 0.65 of the word
}
"""Known sets, by the name of their folder, whose labels are less than complete."""


def read_dataset(folder: Path) -> list[Sample]:
    """Read a folder in the house format with the labelling its name is known for (complete when unknown).

    Raises:
        DataError: As ``read_house``.
    """
    labelling = LABELLINGS.get(folder.resolve().name, Labelling())
    return read_house(folder, partial=labelling.partial, weak=labelling.weak)


def read_house(folder: Path, partial: bool = False, weak: bool = False) -> list[Sample]:
    """Read a folder in the house format, in the order of its file.

    Args:
        folder: Holds ``annotations.jsonl`` and the photographs it names.
        partial: Some text is not labelled: unlabelled area is never a negative.
        weak: The polygons are rough: every word becomes don't care and the labelling partial.

    Raises:
        DataError: The folder or a photograph is missing, nothing is labelled, or a line is malformed.
    """

    def parse(line: str) -> Sample:
        row = json.loads(line)
        image = folder / row["image"]
        if not image.is_file():
            raise DataError(f"no photograph {image}")
        words = tuple(_parse_word(instance, weak) for instance in row["instances"])
        return Sample(image=image, words=words, partial=partial or weak)

    return parse_lines(folder / ANNOTATIONS, parse)


def read_words(folder: Path) -> list[tuple[Path, str]]:
    """Read a folder of word crops as ``(crop file, transcript)`` pairs, in the order of its file.

    Raises:
        DataError: The folder or a crop is missing, nothing is labelled, or a line is malformed.
    """

    def parse(line: str) -> tuple[Path, str]:
        name, transcript = line.split("\t", maxsplit=1)
        if not (folder / name).is_file():
            raise DataError(f"no crop {folder / name}")
        return folder / name, transcript

    return parse_lines(folder / WORD_LABELS, parse)


def read_unlabelled(folder: Path) -> list[Path]:
    """Return the photographs in ``folder`` and its subfolders, sorted by path.

    Raises:
        DataError: The folder is missing or holds no photograph.
    """
    if not folder.is_dir():
        raise DataError(f"no folder {folder}")
    photos = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PHOTO_SUFFIXES)
    if not photos:
        raise DataError(f"{folder}: holds no photograph ({', '.join(sorted(PHOTO_SUFFIXES))})")
    return photos


def parse_lines(path: Path, parse: Callable[[str], Record], may_be_empty: bool = False) -> list[Record]:
    """Return ``parse(line)`` of every line that is not blank.

    Raises:
        DataError: The file is missing, not UTF-8, or empty where it may not be, or ``parse`` refused a line
            (ValueError and its like); the message names the file and the line.
    """
    if not path.is_file():
        raise DataError(
            f"no {path.name} in {path.parent}" if path.parent.is_dir() else f"no folder {path.parent}"
        )
    records = []
    # Split at "\n" alone: a transcript may hold other characters that str.splitlines() breaks at.
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            records.append(parse(line.rstrip("\r")))
        except KeyError as error:
            raise DataError(f"{path}:{number}: no field {error}") from error
        except (ValueError, TypeError, AttributeError, DataError) as error:
            raise DataError(f"{path}:{number}: {error}") from error
    if not records and not may_be_empty:
        raise DataError(f"{path}: nothing is labelled")
    return records


def read_text(path: Path) -> str:
    """Return the text of ``path``, a byte order mark left out.

    Raises:
        DataError: It cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {error}") from error


def _parse_word(instance: Mapping[str, Any], weak: bool) -> WordLabel:  # Any: one JSON object, checked here
    """Check and convert one entry of ``instances``."""
    transcript = instance["transcript"] or ""
    if not isinstance(transcript, str):
        raise ValueError(f"transcript is neither text nor null: {transcript!r}")
    legible = instance.get("legible", True)
    if not isinstance(legible, bool):
        raise ValueError(f"legible is neither true nor false: {legible!r}")
    return WordLabel(parse_polygon(instance["polygon"]), transcript, legible and not weak)


def parse_polygon(points: object) -> Polygon:
    """Return ``points`` as (P, 2) float32, P >= 3.

    Raises:
        ValueError: They are something else.
    """
    polygon: Polygon = np.asarray(points, dtype=np.float32)
    if polygon.ndim != 2 or polygon.shape[0] < 3 or polygon.shape[1] != 2 or not np.isfinite(polygon).all():
        raise ValueError(f"polygon is not three or more finite [x, y] points: {points!r:.80}")
    return polygon
