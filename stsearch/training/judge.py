"""Labelled data that checkpoints are judged by, as many of them as the minutes of a run allow."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stsearch.config import StageConfig
from stsearch.engines.torch_engine import TorchSceneEngine
from stsearch.evaluation.recognition import WordReport
from stsearch.images import read_image
from stsearch.models.scene_text import SceneTextModel
from stsearch.spotting.spotter import Spotter
from stsearch.training.finalize import measure
from stsearch.training.options import Progress, Report, TrainOptions
from stsearch.training.run_clock import RunClock
from stsearch.training.validation import Validation, thin_out, validate, validate_reading
from stsearch.types import Sample
from stsearch.weights.card import Card

_PHOTO_PASSES = 2.5
"""Photographs are spotted once by the last validation and once for the card, and their labels are read."""

_CROP_PASSES = 8
"""Crops are read once by the last validation, and for the card once and with test-time augmentation."""

_PROBED_CROPS = 32


@dataclass(frozen=True)
class Judge:
    """Measures checkpoints.

    Attributes:
        val: labelled photographs; without any nothing is detected.
        val_crops: word crops and their labels.
        clock: of the run; it is told how long measuring takes.
        report: is told how far measuring is.
    """

    val: tuple[Sample, ...]
    val_crops: tuple[tuple[Path, str], ...]
    clock: RunClock
    report: Report

    def expect(self, model: SceneTextModel) -> None:
        """Try how long a photograph and a crop take, for a run that has to end in time."""
        if not self.clock.is_limited:
            return
        spotter = Spotter(TorchSceneEngine(model), Card(model.config).info)
        if self.val:
            image = read_image(self.val[0].image)
            spotter.spot([image])  # the first time takes longer
            begun = self.clock.elapsed_s()
            spotter.spot([image])
            self._expect_photos(self.clock.elapsed_s() - begun, 1)
        if self.val_crops and spotter.recognizer is not None:
            crops = self.val_crops[:_PROBED_CROPS]
            begun = self.clock.elapsed_s()
            spotter.recognizer.read_pictures([read_image(crop) for crop, _ in crops])
            self._expect_crops(self.clock.elapsed_s() - begun, len(crops))

    def _expect_photos(self, seconds: float, photos: int) -> None:
        self.clock.expect_figures("photos", _PHOTO_PASSES * seconds * len(self.val) / photos)

    def _expect_crops(self, seconds: float, crops: int) -> None:
        self.clock.expect_figures("crops", _CROP_PASSES * seconds * len(self.val_crops) / crops)

    def validate(self, model: SceneTextModel, stage: StageConfig) -> Validation | WordReport | None:
        """Measure the part of ``model`` that ``stage`` trains; None without data for it."""
        begun = time.monotonic()
        if stage.reads_crops:
            if not self.val_crops:
                return None
            crops = self.val_crops[:: self.clock.stride("crops")]
            words = validate_reading(model, crops, self._tell("crops", len(crops)))
            self._expect_crops(time.monotonic() - begun, len(crops))
            return words
        if not self.val or stage.weights.contrastive:  # which trains neither detection nor reading
            return None
        photos = thin_out(self.val, stage.validate_stride * self.clock.stride("photos"))
        result = validate(model, photos, stage.validates_detection, self._tell("photographs", len(photos)))
        if stage.validates_detection:
            self._expect_photos(time.monotonic() - begun, len(photos))
        return result

    def measure(self, folder: Path, options: TrainOptions, device: str) -> tuple[Card, Validation]:
        """Measure the weights in ``folder``, and write the figures to their card."""
        self.report(Progress(at=f"measuring {folder}", eta_s=self._left_s()))
        strides = self.clock.stride("photos"), self.clock.stride("crops")
        return measure(folder, options.val, options.val_crops, device, strides=strides)

    def _tell(self, what: str, total: int) -> Callable[[int], None]:
        def tell(done: int) -> None:
            self.report(Progress(done, total, at=f"validating on {what}", eta_s=self._left_s()))

        tell(0)
        return tell

    def _left_s(self) -> float | None:
        return self.clock.left_s() if self.clock.is_limited else None
