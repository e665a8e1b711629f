"""Cut the words that are read with confidence out of photographs, as labelled crops to train on.

Self-training: a confident reading that agrees with the embedding of the word is nearly always right.

python examples/label_crops.py PHOTOS OUT && stsearch train --stage read --crops OUT ...
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

import stsearch

MIN_CONFIDENCE = 0.85  # of a reading
MIN_SIMILARITY = 0.5  # of a word in the photograph and the string that is read
MARGIN = 0.08  # around a crop, of the word's height
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}


def confident_words(folder: Path) -> Iterator[tuple[NDArray[np.uint8], stsearch.TextInstance]]:
    """Yield photographs and words of two or more characters whose reading and embedding agree."""
    model = stsearch.load("tiny")
    for path in sorted(each for each in folder.rglob("*") if each.suffix.lower() in SUFFIXES):
        photo = stsearch.read_image(path)
        words = [word for word in model.spot(photo) if word.confidence > MIN_CONFIDENCE]
        texts = ["".join(filter(str.isalnum, word.transcript)) for word in words]
        for word, text in zip(words, texts, strict=True):
            if len(text) > 1 and float(model.embed([text])[0] @ word.embedding) > MIN_SIMILARITY:
                yield photo, word


def main(folder: Path, out: Path) -> None:
    """Write the crops of the photographs in ``folder`` and their labels.tsv to the new folder ``out``."""
    out.mkdir(parents=True)
    lines = []
    for number, (photo, word) in enumerate(confident_words(folder)):
        height, width = stsearch.word_size(word.polygon)
        rows = int(np.clip(height, 16, 96))
        crop = stsearch.rectify(photo, word.polygon, (rows, max(1, round(rows * width / height))), MARGIN)
        cv2.imwrite(str(out / f"{number:05}.jpg"), cv2.cvtColor(crop, cv2.COLOR_RGB2BGR))
        lines.append(f"{number:05}.jpg\t{word.transcript}\n")
    (out / "labels.tsv").write_text("".join(lines), encoding="utf-8")
    print(f"{len(lines)} words")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
