"""Cut the words that the shipped weights are sure of out of photographs, as labelled crops to train on.

Self-training: what is read surely, and looks like what is read, is nearly always right.

python examples/label_crops.py PHOTOS OUT && stsearch train --stage read --crops OUT ...
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from stsearch import load_spotter
from stsearch.datasets.labelled_folder import read_unlabelled
from stsearch.geometry.polygons import rectify, word_size
from stsearch.images import read_image
from stsearch.search.query_encoder import load_query_encoder
from stsearch.spotting.proposals import suppress_overlaps
from stsearch.text.charset import normalize
from stsearch.types import Image, TextInstance

SURE = 0.85  # the least confidence of a reading
ALIKE = 0.5  # the least similarity of the word's picture and its reading
MARGIN = 0.08  # around a crop, of the word's height


def sure_words(photos: Path) -> Iterator[tuple[Image, TextInstance]]:
    """Yield photographs and words of two or more characters, in which reading and similarity agree."""
    spotter, embed = load_spotter("tiny"), load_query_encoder("tiny")
    for path in read_unlabelled(photos):
        photo = read_image(path)
        for word in suppress_overlaps(spotter.spot([photo])[0]):
            text = normalize(word.transcript)
            if len(text) > 1 and word.confidence > SURE and float(embed([text])[0] @ word.embedding) > ALIKE:
                yield photo, word


def main(photos: Path, out: Path) -> None:
    """Write the crops of ``photos`` and their labels.tsv to the new folder ``out``."""
    out.mkdir(parents=True)
    lines = []
    for number, (photo, word) in enumerate(sure_words(photos)):
        height, width = word_size(word.polygon)
        rows = int(np.clip(height, 16, 96))
        crop = rectify(photo, word.polygon, (rows, max(1, round(rows * width / height))), MARGIN)
        cv2.imwrite(str(out / f"{number:05}.jpg"), cv2.cvtColor(crop, cv2.COLOR_RGB2BGR))
        lines.append(f"{number:05}.jpg\t{word.transcript}\n")
    (out / "labels.tsv").write_text("".join(lines), encoding="utf-8")
    print(f"{len(lines)} words")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
