"""Labelled sets in the formats of their owners, written for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import lmdb
import numpy as np
import scipy.io


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def total_text_row(text: Sequence[str], orientation: Sequence[str]) -> list[object]:
    """Return a row as the owners' MATLAB files hold it: coordinates are rows, missing text is empty."""
    xs, ys = np.array([[10, 40, 40, 10]], np.uint16), np.array([[20, 20, 30, 30]], np.uint16)
    return ["x:", xs, "y:", ys, np.array(text), np.array(orientation)]


def save_matlab(path: Path, name: str, rows: Sequence[Sequence[object]]) -> None:
    cells = np.empty((len(rows), len(rows[0])), dtype=object)
    for i, row in enumerate(rows):
        for j, value in enumerate(row):
            cells[i, j] = value
    path.parent.mkdir(exist_ok=True)
    scipy.io.savemat(path, {name: cells})


SVT = """<?xml version="1.0" encoding="utf-8"?>
<tagset><image><imageName>img/14_03.jpg</imageName><address>341 Grove</address><lex>LIVING,ROOM</lex>
<Resolution x="1280" y="880" /><taggedRectangles>
<taggedRectangle height="10" width="30" x="10" y="20"><tag>LIVING</tag></taggedRectangle>
<taggedRectangle height="10" width="30" x="10" y="20"><tag>&amp;</tag></taggedRectangle>
</taggedRectangles></image></tagset>"""


def save_word_set(folder: Path, items: Sequence[tuple[bytes, str]]) -> Path:
    """Write a database of crops and words, and return its folder."""
    with (
        lmdb.open(str(folder), map_size=1 << 20) as database,
        database.begin(write=True) as transaction,
    ):
        transaction.put(b"num-samples", str(len(items)).encode())
        for number, (crop, word) in enumerate(items, start=1):
            transaction.put(f"image-{number:09d}".encode(), crop)
            transaction.put(f"label-{number:09d}".encode(), word.encode())
    return folder
