"""Draw a query and what it finds: the best photographs in a row, the word outlined, its transcript below.

python examples/draw_hits.py examples/photographs garden hits.jpg
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import stsearch

PHOTO = (432, 288)  # (width, height) of one photograph in the row
GAP = 16  # pixels between photographs and around them
BAR, CAPTION = 56, 40  # pixels above and below them
OUTLINE = (255, 64, 110)
PAPER, INK, FAINT = (255, 255, 255), (34, 36, 40), (120, 124, 130)


def main(folder: Path, text: str, out: Path, count: int = 3) -> None:
    """Search the photographs in ``folder`` and write the ``count`` best, side by side, to ``out``."""
    with TemporaryDirectory() as gallery, stsearch.index(folder, gallery=gallery) as photos:
        hits = photos.search(text, top=count, group="photo")
        size = (GAP + count * (PHOTO[0] + GAP), BAR + PHOTO[1] + CAPTION)
        picture = Image.new("RGB", size, PAPER)
        pen = ImageDraw.Draw(picture)
        large, small = ImageFont.load_default(24), ImageFont.load_default(19)
        pen.rounded_rectangle((GAP, 8, size[0] - GAP, BAR - 8), 20, fill=(240, 241, 244))
        pen.ellipse((GAP + 18, 20, GAP + 32, 34), outline=FAINT, width=3)
        pen.line((GAP + 30, 32, GAP + 38, 40), fill=FAINT, width=3)
        pen.text((GAP + 52, BAR // 2), text, fill=INK, font=large, anchor="lm")
        for number, hit in enumerate(hits):
            left = GAP + number * (PHOTO[0] + GAP)
            picture.paste(draw(hit), (left, BAR))
            line = BAR + PHOTO[1] + CAPTION // 2
            pen.text((left + 4, line), hit.transcript, fill=INK, font=small, anchor="lm")
            pen.text((left + PHOTO[0] - 4, line), f"{hit.score:.2f}", fill=FAINT, font=small, anchor="rm")
    picture.save(out, quality=85)


def draw(hit: stsearch.Hit) -> Image.Image:
    """Return one photograph, scaled to its place in the row, with a line around the word that was found."""
    photo = stsearch.read_image(hit.path)
    scale = min(PHOTO[0] / photo.shape[1], PHOTO[1] / photo.shape[0])
    fitted = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    word = np.zeros(fitted.shape[:2], np.uint8)
    cv2.fillPoly(word, [np.round(hit.polygon * scale).astype(np.int32)], 255)
    # A line around the word, grown by a few pixels so that it keeps clear of the letters.
    grown = cv2.dilate(word, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
    outline = cv2.findContours(grown, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    cv2.drawContours(fitted, outline, -1, (255, 255, 255), 4, cv2.LINE_AA)
    cv2.drawContours(fitted, outline, -1, OUTLINE, 2, cv2.LINE_AA)
    return Image.fromarray(fitted)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
