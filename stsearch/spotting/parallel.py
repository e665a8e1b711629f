"""Several photographs at the same time on a CPU: parts of the network keep only one core busy."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import torch

from stsearch.spotting.spotter import Spotter
from stsearch.types import PHOTO_BATCH, Image, PhotoSpotter, TextInstance
from stsearch.worker_pool import usable_cores


def parallelize(spotter: Spotter) -> PhotoSpotter:
    """Return ``spotter`` as photographs are indexed fastest: on a CPU several at a time, else as it is."""
    return spotter if spotter.device.type == "cuda" else ParallelSpotter(spotter, usable_cores())


class ParallelSpotter:
    """Spots photographs for several threads at a time, each with its share of the cores; a spotter itself.

    Attributes:
        info: of the weights.
        decode_side: pixels on the longer side of a photograph; more are of no use to it.
        threads: how many may call it at the same time.
    """

    def __init__(self, spotter: PhotoSpotter, cores: int) -> None:
        """Share ``cores``, 1 or more, among threads that all use ``spotter``, which must be thread-safe."""
        self.info = spotter.info
        self.decode_side = spotter.decode_side
        self.threads = min(cores, PHOTO_BATCH)  # each photograph needs some hundred megabytes
        self._spotter = spotter
        self._cores_each = cores // self.threads
        self._thread = threading.local()

    def spot(self, images: Sequence[Image]) -> list[list[TextInstance]]:
        """Return the text instances of each image (HWC uint8 RGB), polygons in its own pixels.

        From the first call on, the calling thread computes with its share of the cores.
        """
        if not hasattr(self._thread, "is_limited"):
            torch.set_num_threads(self._cores_each)
            self._thread.is_limited = True
        return self._spotter.spot(images)
