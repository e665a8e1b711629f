"""Index a folder of photographs and search it, with Python.

python examples/search_gallery.py examples/gallery garden
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from stsearch import Gallery, Query, load_query_encoder, load_spotter
from stsearch.indexing.indexer import index_photos
from stsearch.search.engine import search


def main(photos: Path, text: str) -> None:
    """Index ``photos`` into a gallery that is thrown away, and show what it holds of ``text``."""
    spotter = load_spotter("tiny", device="cpu")
    with TemporaryDirectory() as folder, Gallery.create(folder, photos, spotter.info) as gallery:
        index_photos(gallery, spotter)
        for hit in search(gallery, Query(text), load_query_encoder("tiny")):
            print(f"{hit.score:.2f} {hit.transcript:24} {hit.path.name}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
