"""A spotter that is loaded when the first photograph needs it, if one does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

from stsearch.types import Image, ModelInfo, PhotoSpotter, TextInstance


class LazySpotter:
    """Finds words with a spotter that is loaded on first use.

    Attributes:
        info: of the weights, as their card says.
    """

    def __init__(self, info: ModelInfo, load: Callable[[], PhotoSpotter]) -> None:
        self.info = info
        self._load = load

    @cached_property
    def _spotter(self) -> PhotoSpotter:
        return self._load()

    @property
    def decode_side(self) -> int:
        """Pixels on the longer side of a photograph; more are of no use."""
        return self._spotter.decode_side

    @property
    def threads(self) -> int:
        """Threads that may each spot a photograph at the same time; 0: it is faster with batches."""
        return self._spotter.threads

    def spot(self, images: Sequence[Image]) -> list[list[TextInstance]]:
        """Return the text instances of each image (HWC uint8 RGB), polygons in its own pixels."""
        return self._spotter.spot(images)
