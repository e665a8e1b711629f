"""What tests of training share: a small network and a silent progress."""

from __future__ import annotations

from stsearch.training.train import Progress

MICRO = """
[model]
name = "micro"
neck_channels = 16
longer_side = 128
recognizer = false
backbone = {layers = [1, 1, 1, 1], width = 8, heads = 4, output_dim = 32}
detector = {channels = 8}
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
