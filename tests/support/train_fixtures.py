"""What tests of training share: a small network, labelled sets on disk, and a silent progress."""

from __future__ import annotations

from pathlib import Path

import cv2

from stsearch.training.options import Progress
from stsearch.types import Scene

MICRO = """
[model]
name = "micro"
neck_channels = 16
neck_inner_channels = 0
longer_side = 128
scales = [1.0, 0.5, 0.3]
close_ups = false
recognizer = false
backbone = {layers = [1, 1, 1, 1], width = 8, heads = 4, output_dim = 32, strided_kernel = 0}
detector = {channels = 8, squeezed_channels = 0}
embedder = {channels = [16, 16, 24], hidden = 16, frames = 8, frame_dim = 8, character_dim = 16}
[stages.words]
canvases = [{source = "words", height = 32, width = 64, batch = 2, share = 1.0}]
steps = 3
warmup_steps = 1
real_share = 0.5
crop_share = 0.0
validate_every = 2
[stages.scenes]
canvases = [{source = "scenes", height = 64, width = 64, batch = 1, share = 1.0}]
steps = 2
"""


def silent(progress: Progress) -> None:
    pass


def interrupt(progress: Progress) -> None:
    """Press Ctrl-C after the first step."""
    if progress.losses:
        raise KeyboardInterrupt


def write_photographs(folder: Path, scene: Scene, count: int) -> Path:
    """Write ``count`` labelled photographs of one word each in the house format; return their folder."""
    folder.mkdir()
    rows = []
    for number in range(count):
        cv2.imwrite(str(folder / f"{number}.png"), scene.image)
        polygon = scene.words[0].polygon.tolist()
        instance = f'{{"polygon": {polygon}, "transcript": "word{number}", "legible": true}}'
        height, width = scene.image.shape[:2]
        rows.append(
            f'{{"image": "{number}.png", "height": {height}, "width": {width}, "instances": [{instance}]}}\n'
        )
    (folder / "annotations.jsonl").write_text("".join(rows))
    return folder


def write_crops(folder: Path, scene: Scene) -> Path:
    """Write a crop with its label; return its folder."""
    folder.mkdir()
    cv2.imwrite(str(folder / "a.png"), scene.image[16:48, 16:80])
    (folder / "labels.tsv").write_text("a.png\thello\n")
    return folder
