"""Render ``examples/photographs``: one sign a scene, ray traced, with its labels.

python examples/render_photographs.py examples/photographs --fonts FONTS

FONTS is a folder of .ttf or .otf files; a font that is not in it is replaced by one of the system, or the
one inside Pillow. The shipped photographs were rendered with openly licensed fonts of Debian.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from scenery.scenes import SCENES

import stsearch

SEED = 7


def main(options: argparse.Namespace) -> None:
    """Render the scenes and write them with ``annotations.jsonl``."""
    fonts = {path.stem: path for path in stsearch.load_assets(fonts=options.fonts).fonts}
    stand_in = fonts.get("DejaVuSans-Bold", next(iter(fonts.values())))
    options.folder.mkdir(parents=True, exist_ok=True)
    with (options.folder / "annotations.jsonl").open("w", encoding="utf-8") as labels:
        for name in options.only or SCENES:
            rng = np.random.default_rng(SEED)
            view = SCENES[name](rng, lambda font: fonts.get(font, stand_in))
            size = (round(options.width * 2 / 3), options.width)
            view = replace(view, camera=replace(view.camera, size=size))
            scene = view.photograph(rng, options.samples)
            Image.fromarray(scene.image).save(options.folder / f"{name}.jpg", quality=82)
            labels.write(stsearch.scene_record(f"{name}.jpg", scene) + "\n")
            print(options.folder / f"{name}.jpg", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fonts", type=Path)
    parser.add_argument("--width", type=int, default=720, help="pixels")
    parser.add_argument("--samples", type=int, default=14, help="rays a pixel")
    parser.add_argument("--only", choices=sorted(SCENES), action="append")
    main(parser.parse_args())
