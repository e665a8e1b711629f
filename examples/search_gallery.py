"""Index a folder of photographs and search it, with Python.

python examples/search_gallery.py examples/gallery garden
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import stsearch


def main(folder: Path, text: str) -> None:
    """Index the photographs in ``folder`` into a temporary gallery, and show the hits for ``text``."""
    with TemporaryDirectory() as gallery, stsearch.index(folder, gallery=gallery, progress=True) as photos:
        for hit in photos.search(text):
            print(f"{hit.score:.2f} {hit.transcript:24} {hit.path.name}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2])
