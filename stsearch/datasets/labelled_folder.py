"""Labelled and unlabelled photographs on disk, read into records; pixels are not decoded here.

House format: a folder with ``annotations.jsonl``, one photograph a line:
``{"image": "images/a.jpg", "height": 640, "width": 960, "instances": [{"polygon": [[x, y], ...],
"transcript": "EXIT" | null, "legible": true}]}``.
Polygons are in pixels of the photograph as displayed, its EXIF orientation applied. A line may say
``"partial": true``, some text carries no polygon, or ``"weak": true``, the polygons are rough; where a file
cannot be edited, ``FOLDER:partial`` or ``FOLDER:weak`` says so of all its lines.
Word crops: a folder with ``labels.tsv``, ``file TAB transcript`` a line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from stsearch.dataclass_io import parse_json
from stsearch.errors import DataError
from stsearch.types import Polygon, Sample, WordLabel

Record = TypeVar("Record")

ANNOTATIONS = "annotations.jsonl"
WORD_LABELS = "labels.tsv"
PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


@dataclass(frozen=True, slots=True)
class LabelledFolder:
    """A folder in the house format, and how far all its labels can be trusted.

    Attributes:
        path: Holds ``annotations.jsonl``.
        partial: Some text carries no polygon.
        weak: Polygons are rough.
    """

    path: Path
    partial: bool = False
    weak: bool = False


def parse_labelled_folder(named: Path) -> LabelledFolder:
    """Return the folder that ``FOLDER``, ``FOLDER:partial`` or ``FOLDER:weak`` names.

    A folder whose real name ends so is meant as it is.

    Raises:
        DataError: Something else stands after the colon.
    """
    path, _, trust = str(named).rpartition(":")
    if not path or named.is_dir():
        return LabelledFolder(named)
    if trust in ("partial", "weak"):
        return LabelledFolder(Path(path), partial=trust == "partial", weak=trust == "weak")
    if Path(path).is_dir():
        raise DataError(
            f"{named}: labels are partial or weak, not {trust!r}; name {path}:partial, {path}:weak or {path}"
        )
    return LabelledFolder(named)


def read_dataset(named: Path) -> list[Sample]:
    """Read a folder in the house format, its name as ``parse_labelled_folder`` takes it.

    Raises:
        DataError: As ``parse_labelled_folder`` and ``read_house``.
    """
    folder = parse_labelled_folder(named)
    return read_house(folder.path, folder.partial, folder.weak)


def read_house(folder: Path, partial: bool = False, weak: bool = False) -> list[Sample]:
    """Read a folder in the house format, in the order of its file.

    Args:
        folder: Holds ``annotations.jsonl`` and the photographs it names.
        partial: Some text is not labelled: unlabelled area is never a negative.
        weak: The polygons are rough: every word becomes don't care and the labels partial.

    Where either is False, the lines decide for their photographs.

    Raises:
        DataError: The folder or a photograph is missing, nothing is labelled, or a line is malformed.
    """

    def parse(line: str) -> Sample:
        row = parse_json(line)
        image = folder / row["image"]
        if not image.is_file():
            raise DataError(f"no photograph {image}")
        is_weak = weak or _flag(row, "weak", False)
        words = tuple(_parse_word(instance, is_weak) for instance in row["instances"])
        return Sample(image=image, words=words, partial=_flag(row, "partial", False) or partial or is_weak)

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
    return WordLabel(
        parse_polygon(instance["polygon"]), transcript, _flag(instance, "legible", True) and not weak
    )


def _flag(fields: Mapping[str, Any], name: str, default: bool) -> bool:  # Any: as above
    value = fields.get(name, default)
    if not isinstance(value, bool):
        raise ValueError(f"{name} is neither true nor false: {value!r}")
    return value


def parse_polygon(points: object) -> Polygon:
    """Return ``points`` as (P, 2) float32, P >= 3.

    Raises:
        ValueError: They are something else.
    """
    polygon: Polygon = np.asarray(points, dtype=np.float32)
    if polygon.ndim != 2 or polygon.shape[0] < 3 or polygon.shape[1] != 2 or not np.isfinite(polygon).all():
        raise ValueError(f"polygon is not three or more finite [x, y] points: {points!r:.80}")
    return polygon
