"""Draw what a query finds: the best photographs in a row, the word outlined, the score below.

python examples/draw_hits.py examples/gallery headquarters hits.png
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from numpy.typing import NDArray

import stsearch

CELL = (300, 400)  # (height, width) of one photograph in the row
CAPTION = 34  # pixels below it


def main(folder: Path, text: str, out: Path, count: int = 3) -> None:
    """Search the photographs in ``folder`` and write the ``count`` best, side by side, to ``out``."""
    with TemporaryDirectory() as gallery, stsearch.index(folder, gallery=gallery) as photos:
        hits = photos.search(text, top=count, group="photo")
        row = np.concatenate([draw(hit) for hit in hits], axis=1)
    cv2.imwrite(str(out), row[:, :, ::-1])


def draw(hit: stsearch.Hit) -> NDArray[np.uint8]:
    """Return one photograph, fitted to a cell, with the word that was found outlined and a caption."""
    photo = stsearch.read_image(hit.path)
    scale = min(CELL[0] / photo.shape[0], CELL[1] / photo.shape[1])
    fitted = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    cell = np.full((CELL[0] + CAPTION, CELL[1], 3), 255, np.uint8)
    top, left = (CELL[0] - fitted.shape[0]) // 2, (CELL[1] - fitted.shape[1]) // 2
    cell[top : top + fitted.shape[0], left : left + fitted.shape[1]] = fitted
    outline = np.round(hit.polygon * scale + (left, top)).astype(np.int32)
    cv2.polylines(cell, [outline], True, (255, 255, 255), 5, cv2.LINE_AA)
    cv2.polylines(cell, [outline], True, (230, 0, 90), 3, cv2.LINE_AA)
    caption = f"{hit.score:.2f}  {hit.transcript}"
    cv2.putText(
        cell, caption, (10, CELL[0] + 24), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (30, 30, 30), 1, cv2.LINE_AA
    )
    return cell


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
