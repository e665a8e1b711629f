"""What a training run is asked for, and how it tells its progress. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from stsearch.datasets.labelled_folder import ANNOTATIONS, WORD_LABELS, parse_labelled_folder
from stsearch.errors import DataError, UsageError
from stsearch.weights.card import find_weights


@dataclass(frozen=True)
class TrainOptions:
    """Options of one training run."""

    out: Path  # the run's folder: last/, best/, log.jsonl
    preset: str = "tiny"
    config: Path | None = None  # TOML put over the preset
    stage: str = "all"
    init: Path | None = None  # weights to start from
    clip_pretrained: tuple[str, ...] = ()  # openai, or files: CLIP weights to start from
    resume: bool = False
    data: tuple[Path, ...] = ()  # labelled photographs
    val: tuple[Path, ...] = ()
    val_crops: tuple[Path, ...] = ()
    crops: tuple[Path, ...] = ()  # folders of word crops with labels.tsv
    fonts: Path | None = None
    backgrounds: Path | None = None
    words: Path | None = None
    max_minutes: float | None = None  # all counts: reading the data, the first step, validations
    steps: int | None = None  # instead of the stage's own number
    workers: int = 2
    device: str = "auto"
    seed: int = 1
    compile: bool = False  # the backbone, by torch.compile: minutes to start, for long runs on a GPU

    def check(self) -> None:
        """Refuse what is missing or contradicts itself, before anything is loaded.

        Raises:
            UsageError: two options bring weights.
            DataError: a folder or file is not there.
            WeightsError: there are no weights ``init``.
        """
        if self.clip_pretrained and (self.resume or self.init is not None):
            other = "--resume" if self.resume else "--init"
            raise UsageError(f"{other} brings weights of its own: drop it, or drop --clip-pretrained")
        _check_labels("--data", self.data, ANNOTATIONS)
        _check_labels("--val", self.val, ANNOTATIONS)
        _check_labels("--crops", self.crops, WORD_LABELS)
        _check_labels("--val-crops", self.val_crops, WORD_LABELS)
        for option, path in (("--fonts", self.fonts), ("--backgrounds", self.backgrounds)):
            if path is not None and not path.is_dir():
                raise DataError(f"{option}: there is no folder {path}")
        for option, path in (("--words", self.words), ("--config", self.config)):
            if path is not None and not path.is_file():
                raise DataError(f"{option}: there is no file {path}")
        if self.init is not None:
            find_weights(str(self.init))


def _check_labels(option: str, named: Iterable[Path], labels: str) -> None:
    for each in named:
        folder = parse_labelled_folder(each).path if labels == ANNOTATIONS else each
        if not folder.is_dir():
            raise DataError(f"{option}: there is no folder {folder}")
        if not (folder / labels).is_file():
            raise DataError(f"{option}: there is no {labels} in {folder}")


@dataclass(frozen=True)
class Progress:
    """Progress of a run, to be shown."""

    step: int = 0
    steps: int = 0  # of the stage; 0: none has begun
    losses: dict[str, float] = field(default_factory=dict)
    samples_per_s: float = 0.0
    eta_s: float | None = None  # to the end of the stage, or of the minutes of the run; None: not known yet
    message: str = ""  # that stays in view
    at: str = ""  # what is being done


Report = Callable[[Progress], None]
