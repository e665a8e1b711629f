"""Several photographs at a time on a CPU: what keeps one core busy leaves the rest to another photograph."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

from stsearch.spotting.spotter import Spotter
from stsearch.types import PHOTO_BATCH, Image, PhotoSpotter, TextInstance
from stsearch.worker_pool import usable_cores


def parallelize(spotter: Spotter) -> PhotoSpotter:
    """Return ``spotter`` as photographs are indexed fastest: on a CPU several at a time, else as it is."""
    return spotter if spotter.device.type == "cuda" else ParallelSpotter(spotter, usable_cores())


class ParallelSpotter:
    """Spots photographs in threads, each with its share of the cores; a spotter itself.

    Attributes:
        info: of the weights.
        decode_side: pixels on the longer side of a photograph that it can make use of.
    """

    def __init__(self, spotter: PhotoSpotter, cores: int) -> None:
        """Share ``cores``, 1 or more, among threads that all use ``spotter``, which must not mind."""
        self.info = spotter.info
        self.decode_side = spotter.decode_side
        self._spotter = spotter
        self._threads = min(cores, PHOTO_BATCH)  # each photograph needs some hundred megabytes
        self._cores_each = cores // self._threads

    def spot(self, images: Sequence[Image]) -> list[list[TextInstance]]:
        """Return the text instances of each image (HWC uint8 RGB), polygons in its own pixels.

        Whatever ends it waits for the photographs at work, and begins no other.
        """
        pool = ThreadPoolExecutor(
            self._threads, initializer=torch.set_num_threads, initargs=(self._cores_each,)
        )
        try:
            return list(pool.map(self._spot_alone, images))
        finally:
            pool.shutdown(cancel_futures=True)

    def _spot_alone(self, image: Image) -> list[TextInstance]:
        [found] = self._spotter.spot([image])
        return found
