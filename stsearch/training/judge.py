"""Labelled data that checkpoints are judged by, as many of them as the minutes of a run allow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stsearch.config import StageConfig
from stsearch.evaluation.recognition import WordReport
from stsearch.models.scene_text import SceneTextModel
from stsearch.training.finalize import measure
from stsearch.training.options import Progress, Report, TrainOptions
from stsearch.training.run_clock import RunClock
from stsearch.training.validation import Validation, thin_out, validate, validate_reading
from stsearch.types import Sample
from stsearch.weights.card import Card

_PHOTO_PASSES = 2
"""Photographs are measured by the last validation, and once more for the card."""

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
        """Try how long a photograph and a crop take, for a run that has to end in time.

        Raises:
            DataError: no photograph shows a word to search for.
        """
        if not self.clock.is_limited:
            return
        self.report(Progress(at="trying how long validation takes", eta_s=self._left_s()))
        if self.val:
            photos = thin_out(self.val, len(self.val))
            begun = self.clock.elapsed_s()
            validate(model, photos, detect=True)
            self._expect_photos(self.clock.elapsed_s() - begun, len(photos))
        if self.val_crops and model.recognizer is not None:
            crops = self.val_crops[:_PROBED_CROPS]
            begun = self.clock.elapsed_s()
            validate_reading(model, crops)
            self._expect_crops(self.clock.elapsed_s() - begun, len(crops))

    def _expect_photos(self, seconds: float, photos: int) -> None:
        self.clock.expect_figures("photos", _PHOTO_PASSES * seconds * len(self.val) / photos)

    def _expect_crops(self, seconds: float, crops: int) -> None:
        self.clock.expect_figures("crops", _CROP_PASSES * seconds * len(self.val_crops) / crops)

    def validate(self, model: SceneTextModel, stage: StageConfig) -> Validation | WordReport | None:
        """Measure the part of ``model`` that ``stage`` trains; None without data for it."""
        begun = self.clock.elapsed_s()
        if stage.reads_crops:
            if not self.val_crops:
                return None
            crops = self.val_crops[:: self.clock.stride("crops")]
            words = validate_reading(model, crops, self._tell("crops", len(crops)))
            self._expect_crops(self.clock.elapsed_s() - begun, len(crops))
            return words
        if not self.val or stage.weights.contrastive:  # which trains neither detection nor reading
            return None
        photos = thin_out(self.val, stage.validate_stride * self.clock.stride("photos"))
        result = validate(model, photos, stage.validates_detection, self._tell("photographs", len(photos)))
        if stage.validates_detection:
            self._expect_photos(self.clock.elapsed_s() - begun, len(photos))
        return result

    def measure(self, folder: Path, options: TrainOptions, device: str) -> tuple[Card, Validation]:
        """Measure the weights in ``folder``, and write the figures to their card."""
        self.report(Progress(at=f"measuring {folder}", eta_s=self._left_s()))
        strides = self.clock.stride("photos"), self.clock.stride("crops")
        return measure(folder, options.val, options.val_crops, device, strides=strides)

    def _tell(self, what: str, total: int) -> Callable[[int], None]:
        def tell(done: int) -> None:
            self.report(Progress(at=f"validating on {done} of {total} {what}", eta_s=self._left_s()))

        tell(0)
        return tell

    def _left_s(self) -> float | None:
        return self.clock.left_s() if self.clock.is_limited else None
