"""The image tower in 8 bits beside the same weights in floating point: the time of every photograph.

Run by hand, on an otherwise idle machine whose processor multiplies bytes::

    python tests/bench/eight_bits.py PHOTOS [--model tiny] [--limit 25]

Both take turns at every photograph, after one that warms them up.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from stsearch.datasets.labelled_folder import read_unlabelled
from stsearch.images import read_image
from stsearch.spotting.spotter import Spotter
from stsearch.types import Image
from stsearch.weights.io import load_model


def seconds(work: Callable[[], object]) -> float:
    """Return what ``work`` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def spotters(name: str) -> dict[str, Spotter]:
    """Return a spotter that computes in 8 bits, and one that does not, by the precision each names."""
    model, card = load_model(name, "cpu")
    eight = Spotter(model, card.info)
    backbone = dataclasses.replace(model.config.backbone, activation_max=())
    model.config = dataclasses.replace(model.config, backbone=backbone)
    return {spotter.precision: spotter for spotter in (eight, Spotter(model, card.info))}


def main() -> None:
    """Print the median time of each precision, and the ratio of the two."""
    parser = argparse.ArgumentParser()
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--limit", type=int, default=25)
    options = parser.parse_args()
    both = spotters(options.model)
    if len(both) == 1:
        parser.error(f"this processor computes in {next(iter(both))} either way")
    paths = read_unlabelled(options.photos)[: options.limit + 1]
    images: list[Image] = [read_image(path) for path in paths]
    taken: dict[str, list[float]] = {name: [] for name in both}
    for image in images:
        for name, spotter in both.items():
            taken[name].append(seconds(lambda: spotter.spot([image])))  # noqa: B023 - called at once
    medians = {name: float(np.median(times[1:])) for name, times in taken.items()}
    for name, median in medians.items():
        print(f"{name}: {1000 * median:.0f} ms a photograph")
    eight, other = medians.values()
    print(f"ratio: {eight / other:.2f}")


if __name__ == "__main__":
    main()
