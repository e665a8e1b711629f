"""Find and read the words of one photograph: outline, transcript and scores, a word a line.

python examples/spot_words.py examples/gallery/street-02.jpg
"""

from __future__ import annotations

import sys
from pathlib import Path

import stsearch


def main(photo: Path) -> None:
    """Spot the words of ``photo`` with the shipped weights."""
    for word in stsearch.load("tiny").spot(photo):
        outline = " ".join(f"{x:.0f},{y:.0f}" for x, y in word.polygon)
        print(f"{word.transcript:24} {word.score:.2f} {word.confidence:.2f} {outline}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
