"""Labels in MATLAB files: the outlines of Total-Text, and the queries of IIIT Scene Text Retrieval."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stsearch.datasets.labelled_folder import parse_polygon
from stsearch.datasets.layout import read_label_files
from stsearch.errors import DataError
from stsearch.types import Sample, WordLabel


def read_total_text_outlines(parts: Sequence[Path]) -> list[Sample]:
    """Read ``poly_gt_img1.mat`` and its like: rows of ``x:, xs, y:, ys, transcription, orientation``.

    A label with the transcription ``#``, or the orientation ``#`` or none, is don't care.

    Args:
        parts: folder of labels, folder of photographs.

    Raises:
        DataError: A photograph is missing, a file is malformed, or scipy is not installed.
    """
    return read_label_files(parts, "poly_gt_*.mat", lambda stem: stem.removeprefix("poly_gt_"), _outlines)


def read_iiit_queries(path: Path) -> dict[str, list[str]]:
    """Read ``data.mat`` of IIIT Scene Text Retrieval: the names of the photographs that answer each query.

    Queries are in lower case, as TDSL asks them.

    Raises:
        DataError: The file is missing or malformed, or scipy is not installed.
    """
    entries = _load(path, "data")
    try:
        pairs = [(next(_texts(entry[0])).lower(), list(_texts(entry[1]))) for entry in entries.ravel()]
    except (IndexError, StopIteration, TypeError) as error:
        raise DataError(f"{path}: data is not a list of queries with their photographs") from error
    return dict(pairs)


def _outlines(path: Path) -> Iterator[WordLabel]:
    for number, row in enumerate(_load(path, "polygt"), start=1):
        try:
            xs, ys = np.ravel(row[1]), np.ravel(row[3])
            transcript, orientation = ("".join(_texts(cell)) for cell in row[4:6])
            polygon = parse_polygon(list(zip(xs.tolist(), ys.tolist(), strict=True)))
        except (IndexError, ValueError, TypeError) as error:
            raise DataError(f"{path}: polygt({number}): {error}") from error
        legible = transcript not in ("", "#") and orientation not in ("", "#")
        yield WordLabel(polygon, transcript, legible)


def _load(path: Path, name: str) -> Any:  # Any: scipy has no types, and a MATLAB cell holds anything
    try:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    except ImportError as error:
        raise DataError(f"{path} is a MATLAB file: pip install 'stsearch[benchmarks]' to read it") from error
    try:
        return loadmat(path)[name]
    except KeyError as error:
        raise DataError(f"{path} holds no {name}") from error
    except (OSError, ValueError, NotImplementedError, MatReadError) as error:
        raise DataError(f"{path} is no MATLAB file of version 7 or older: {error}") from error


def _texts(cell: object) -> Iterator[str]:
    """Yield the strings in a cell, however deeply MATLAB has nested it."""
    if isinstance(cell, np.ndarray):
        for each in cell.ravel():
            yield from _texts(each)
    else:
        yield str(cell)
