"""The joint training loop, whose stages differ in losses and data; checkpoints, resuming, log.jsonl."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Subset

from stsearch.config import Preset, StageConfig
from stsearch.datasets.labelled_folder import read_dataset, read_words
from stsearch.engines.torch_engine import TorchSceneEngine
from stsearch.errors import UsageError
from stsearch.evaluation.recognition import WordReport
from stsearch.models.scene_text import SceneTextModel, build_model
from stsearch.spotting.spotter import Spotter
from stsearch.synth.renderer import load_assets
from stsearch.training.batches import Batch, BatchDataset, TrainingData
from stsearch.training.checkpoint import finish_replacing, read_state
from stsearch.training.detected_outlines import add_detected_outlines
from stsearch.training.finalize import card_metrics, measure
from stsearch.training.memory import keep_freed_memory
from stsearch.training.presets import load_preset, select_stages
from stsearch.training.run_folder import RunFolder, start_card
from stsearch.training.stage import StageInProgress
from stsearch.training.validation import Validation, validate, validate_reading
from stsearch.types import Sample
from stsearch.weights.card import Card
from stsearch.weights.clip_init import load_clip
from stsearch.weights.io import load_model, pick_device, start_from


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
    max_minutes: float | None = None
    steps: int | None = None  # instead of the stage's own number
    workers: int = 2
    device: str = "auto"
    seed: int = 1
    compile: bool = False  # the backbone, by torch.compile: minutes to start, for long runs on a GPU


@dataclass(frozen=True)
class Progress:
    """Progress of a run, to be shown."""

    step: int
    steps: int
    losses: dict[str, float] = field(default_factory=dict)
    samples_per_s: float = 0.0
    eta_s: float = 0.0
    message: str = ""


Report = Callable[[Progress], None]
REPORT_EVERY = 50  # steps
OUTLINES_EVERY = 100  # photographs
NORM_BATCHES = 30  # that normalisation statistics are measured on


def train(options: TrainOptions, report: Report) -> Card:
    """Train the stages that ``options`` names; return the card of the best checkpoint.

    Raises:
        UsageError, DataError: options, configuration or data cannot be used.
        TrainingError: a loss is no longer finite.
        WriteError: a checkpoint cannot be written; what was written before is intact.
    """
    if options.clip_pretrained and (options.resume or options.init is not None):
        other = "--resume" if options.resume else "--init"
        raise UsageError(f"{other} brings weights of its own: drop it, or drop --clip-pretrained")
    preset = load_preset(options.preset, options.config)
    stages = select_stages(preset, options.stage)
    _check_out(options.out, options.resume)
    data = load_training_data(options)
    val = tuple(sample for folder in options.val for sample in read_dataset(folder))
    val_crops = tuple(item for folder in options.val_crops for item in read_words(folder))
    run = _Run(options, preset, data, val, val_crops, report)
    run.start()
    for stage in stages:
        run.train_stage(dataclasses.replace(stage, steps=options.steps or stage.steps))
        if run.out_of_time():
            break
    return run.finish()


def _check_out(out: Path, resume: bool) -> None:
    """Check that there is a checkpoint where one is to be resumed, and none elsewhere.

    Raises:
        UsageError: it is not so.
    """
    last = out / "last"
    finish_replacing(last)
    if resume and not (last / "card.json").is_file():
        raise UsageError(f"there is nothing to resume in {out}, it has no checkpoint yet: drop --resume")
    if not resume and last.exists():
        raise UsageError(f"{last} exists: go on with --resume, or choose another --out")


def load_training_data(options: TrainOptions) -> TrainingData:
    """Read the sets and assets that ``options`` names.

    Raises:
        DataError: a set is missing, empty or malformed; a font or word list is missing.
    """
    assets = load_assets(options.fonts, options.backgrounds, options.words)
    photos = tuple(sample for folder in options.data for sample in read_dataset(folder))
    crops = tuple(item for folder in options.crops for item in read_words(folder))
    return TrainingData(assets, photos, crops, options.seed)


def _describe(options: TrainOptions, data: TrainingData) -> dict[str, Any]:  # Any: JSON
    """Return the description of the data in a card: names and counts, no paths."""
    return {
        "seed": options.seed,
        "photographs": {folder.name: len(read_dataset(folder)) for folder in options.data},
        "clip": ", ".join(Path(source).name for source in options.clip_pretrained),
        "crops": {folder.name: len(read_words(folder)) for folder in options.crops},
        "fonts": len(data.assets.fonts),
        "backgrounds": len(data.assets.backgrounds),
        "words": len(data.assets.words),
        "stages": {},
        "history": [],  # steps a stage of the weights each earlier run ended with
    }


class _Run:
    """The state of one run: model, optimizer, clock, log."""

    def __init__(
        self,
        options: TrainOptions,
        preset: Preset,
        data: TrainingData,
        val: tuple[Sample, ...],
        val_crops: tuple[tuple[Path, str], ...],
        report: Report,
    ) -> None:
        self.options, self.data, self.report = options, data, report
        self.val, self.val_crops = val, val_crops
        self.device = pick_device(options.device)
        self.model = self._start_model(preset).to(self.device)
        if options.compile:
            self.model.backbone.compile()
        self.images = 0  # seen in this run
        self.done: dict[str, int] = {}  # steps done, a stage
        self.best: dict[str, float] = {}  # validation figure, a stage
        card = Card(self.model.config, training=_describe(options, data))
        resumed = options.out / "last" if options.resume else None
        self.folder = RunFolder(options.out, *start_card(card, resumed, options.init))

    def _start_model(self, preset: Preset) -> SceneTextModel:
        if self.options.resume:
            return load_model(str(self.options.out / "last"), "cpu")[0]
        torch.manual_seed(self.options.seed)
        if self.options.init is None:
            if preset.model.prompts is not None and preset.model.prompts.frozen:
                raise UsageError("prompts.frozen is of trained weights: name them with --init, or drop it")
            model = build_model(preset.model)
            if self.options.clip_pretrained:
                load_clip(model, self.options.clip_pretrained)
            elif preset.model.prompts is not None and not all(s.text_rate for s in preset.stages):
                message = "the text tower is random and some stages leave it so: see --clip-pretrained"
                self.report(Progress(0, 0, message=message))
            return model
        model, fresh = start_from(preset.model, str(self.options.init))
        if fresh:
            message = f"not in {self.options.init}, so random at first: {', '.join(fresh)}"
            self.report(Progress(0, 0, message=message))
        return model

    def start(self) -> None:
        """Open the log, and keep the memory of freed tensors on a CPU."""
        if self.device.type == "cpu":
            keep_freed_memory()
        self.folder.open(self.options)

    def finish(self) -> Card:
        """Measure the best checkpoint on all validation photographs; return its card with the figures."""
        best = self.options.out / "best"
        if not self.val or not best.exists():
            return self.folder.card
        card, result = measure(best, self.options.val, self.options.val_crops, str(self.device))
        self.report(Progress(0, 0, message=result.summary()))
        self.folder.log({"event": "final", **dataclasses.asdict(result)})
        return card

    def out_of_time(self) -> bool:
        """Return whether the run has used its minutes."""
        limit = self.options.max_minutes
        return limit is not None and self.folder.minutes() >= limit

    def train_stage(self, stage: StageConfig) -> None:
        """Train one stage from where it stands to its last step or to the end of the run's time.

        An interrupt leaves a checkpoint to resume once there is a step to keep, and is raised again.
        """
        running = StageInProgress(self.model, stage, self.options.seed)
        if self.options.resume:
            self._restore(running)
        try:
            self._run_steps(running)
        except KeyboardInterrupt:
            if stage.name in self.done:
                self._save(running)
            raise
        running.finish()

    def _run_steps(self, running: StageInProgress) -> None:
        stage = running.config
        first = self.done.get(stage.name, 0)
        data = self._data_for(stage)
        if stage.freeze_norms and not first:
            self._measure_norms(running)
        begun, fraction = time.monotonic(), first / stage.steps
        running.begin_training()
        for step, batch in enumerate(self._batches(data, stage, first), start=first):
            share = self._share(stage, step, begun, fraction)
            losses = running.take_step(batch, step, share)
            self.done[stage.name] = step + 1
            self.images += len(batch.images)
            if step % REPORT_EVERY == 0:
                self._report(stage, step, losses, share)
            over = step + 1 == stage.steps or share >= 1
            if over or (step + 1) % stage.validate_every == 0:
                self._validate(running, step)
            if over or time.monotonic() - self.folder.saved > 60 * stage.checkpoint_minutes:
                self._save(running)
            if over:
                return

    def _data_for(self, stage: StageConfig) -> TrainingData:
        if not (stage.reads_crops and stage.detected_outlines):
            return self.data
        spotter, total = (
            Spotter(TorchSceneEngine(self.model), Card(self.model.config).info, reads=False),
            len(self.data.photos),
        )

        def report(done: int) -> None:
            if done % OUTLINES_EVERY == 0 or done == total:
                self.report(Progress(0, 0, message=f"outlined the words of {done} of {total} photographs"))

        return TrainingData(
            self.data.assets,
            add_detected_outlines(spotter, self.data.photos, report),
            self.data.crops,
            self.data.seed,
        )

    def _batches(self, data: TrainingData, stage: StageConfig, first: int) -> Iterator[Batch]:
        dataset = BatchDataset(data, self.model.config, stage, stage.steps)
        loader = DataLoader(
            Subset(dataset, range(first, stage.steps)),
            batch_size=None,
            num_workers=self.options.workers,
            prefetch_factor=6 if self.options.workers else None,
            pin_memory=self.device.type == "cuda",
        )
        for batch in loader:
            yield batch.to(self.device)

    def _measure_norms(self, running: StageInProgress) -> None:
        stage = running.config
        scenes = tuple(canvas for canvas in stage.canvases if canvas.source == "scenes")
        measured = dataclasses.replace(stage, canvases=scenes or stage.canvases, steps=NORM_BATCHES)
        running.measure_norms(self._batches(self.data, measured, 0))

    def _share(self, stage: StageConfig, step: int, begun: float, fraction: float) -> float:
        """Return the share of the stage that is over, by steps or by time, whichever is larger."""
        by_steps = (step + 1) / stage.steps
        if self.options.max_minutes is None:
            return by_steps
        # Time spent on checkpoints and validations counts: a run of M minutes ends after M minutes.
        allowed = self.options.max_minutes * 60 - (begun - self.folder.started)
        return max(by_steps, fraction + (1 - fraction) * (time.monotonic() - begun) / max(allowed, 1))

    def _validate(self, running: StageInProgress, step: int) -> None:
        stage = running.config
        with running.averaged():
            result = self._judge(stage)
        running.begin_training()
        if result is None:
            return
        self.folder.log(
            {"event": "validation", "stage": stage.name, "step": step + 1, **dataclasses.asdict(result)}
        )
        self.report(Progress(step + 1, stage.steps, message=result.summary()))
        if result.figure > self.best.get(stage.name, -1.0):
            self.best[stage.name] = result.figure
            sets = self.options.val_crops if stage.reads_crops else self.options.val
            self.folder.write("best", running, step + 1, card_metrics(result, sets))

    def _judge(self, stage: StageConfig) -> Validation | WordReport | None:
        """Validate the part that the stage trains; None without data for it."""
        if stage.reads_crops:
            return validate_reading(self.model, self.val_crops) if self.val_crops else None
        if not self.val or stage.weights.contrastive:  # which trains neither detection nor reading
            return None
        return validate(self.model, self.val[:: stage.validate_stride], detect=stage.validates_detection)

    def _save(self, running: StageInProgress) -> None:
        """Write last/: averaged weights, usable as they are, and the state to resume from."""
        done = self.done[running.config.name]
        self.folder.write("last", running, done, progress={"done": self.done, "best": self.best})

    def _restore(self, running: StageInProgress) -> None:
        state = read_state(self.options.out / "last", self.device)
        self.done, self.best = state["done"], state["best"]
        running.restore(state)

    def _report(self, stage: StageConfig, step: int, losses: dict[str, float], share: float) -> None:
        elapsed = 60 * self.folder.minutes()
        rounded = {name: round(value, 4) for name, value in losses.items()}
        rate = round(self.images / max(elapsed, 1e-6), 1)
        row = {
            "event": "step",
            "stage": stage.name,
            "step": step,
            "seconds": round(elapsed, 1),
            "images_per_s": rate,
        }
        self.folder.log(row | rounded)
        self.report(Progress(step, stage.steps, rounded, rate, elapsed * (1 - share) / max(share, 1e-6)))
