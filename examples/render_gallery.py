"""Render the photographs of ``examples/gallery``: street words on procedural textures, with their labels.

python examples/render_gallery.py examples/gallery [FONTS]

FONTS is a folder of .ttf or .otf files; default: the fonts of the system, else the one inside Pillow.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

import numpy as np
from PIL import Image

import stsearch

SEED = 7
PHOTOS = 12
SIZES = ((480, 640), (640, 480), (560, 640))  # (height, width)
DIFFICULTY = 0.35  # in [0, 1]: readable at a glance, yet with clutter, slopes and small print
WORDS = """
    coffee bakery hotel library market open closed exit taxi parking pharmacy museum garden station ticket
    bridge harbour school music flowers books bicycle cinema theatre kitchen breakfast fresh bread cheese
    summer sale welcome orange silver castle river street police bank post neighbourhood refrigerated
    international entertainment administration communications extraordinary industries headquarters
    delicatessen
""".split()


def main(folder: Path, fonts: Path | None) -> None:
    """Render until there are enough photographs with a few words each."""
    assets = replace(stsearch.load_assets(fonts=fonts), words=tuple(WORDS), weights=np.ones(len(WORDS)))
    renderer = stsearch.Renderer(assets, SEED)
    scenes = (renderer.scene(i, SIZES[i % len(SIZES)], DIFFICULTY) for i in count())
    worded = (scene for scene in scenes if sum(word.legible for word in scene.words) >= 4)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "annotations.jsonl").open("w", encoding="utf-8") as labels:
        for number, scene in enumerate(islice(worded, PHOTOS), start=1):
            name = f"street-{number:02}.jpg"
            Image.fromarray(scene.image).save(folder / name, quality=88)
            labels.write(stsearch.scene_record(name, scene) + "\n")
    print(f"{PHOTOS} photographs in {folder}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
