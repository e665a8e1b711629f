"""The joint training loop, whose stages differ in losses and data; checkpoints, resuming, log.jsonl."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Subset

from stsearch.config import Preset, StageConfig
from stsearch.datasets.labelled_folder import read_dataset, read_words
from stsearch.device_errors import device_error
from stsearch.engines.torch_engine import TorchSceneEngine
from stsearch.errors import UsageError
from stsearch.models.scene_text import SceneTextModel, build_model
from stsearch.spotting.spotter import Spotter
from stsearch.synth.renderer import load_assets
from stsearch.training.batches import Batch, BatchDataset, TrainingData, use_one_thread
from stsearch.training.checkpoint import finish_replacing, read_state
from stsearch.training.detected_outlines import add_detected_outlines
from stsearch.training.finalize import card_metrics
from stsearch.training.judge import Judge
from stsearch.training.memory import keep_freed_memory
from stsearch.training.options import Progress, Report, TrainOptions
from stsearch.training.presets import load_preset, select_stages
from stsearch.training.run_clock import RunClock, StageClock
from stsearch.training.run_folder import RunFolder, start_card
from stsearch.training.speed import Speed, WaitClock
from stsearch.training.stage import StageInProgress
from stsearch.weights.card import Card
from stsearch.weights.clip_init import load_clip
from stsearch.weights.io import load_model, move_to, pick_device, start_from

LOG_EVERY = 50  # steps
OUTLINES_EVERY = 100  # photographs
NORM_BATCHES = 30  # that normalisation statistics are measured on
NORM_SHARE = 0.1  # of the minutes left to training, which those take at most


def train(options: TrainOptions, report: Report) -> Card:
    """Train the stages that ``options`` names; return the card of the best checkpoint.

    Raises:
        UsageError, DataError: options, configuration or data cannot be used.
        TrainingError: a loss is no longer finite.
        WriteError: a checkpoint cannot be written; what was written before is intact.
    """
    options.check()
    clock = RunClock(options.max_minutes)
    preset = load_preset(options.preset, options.config)
    stages = select_stages(preset, options.stage)
    _check_out(options.out, options.resume)
    report(Progress(at="reading the labelled data", eta_s=clock.left_s() if clock.is_limited else None))
    data = load_training_data(options)
    val = tuple(sample for folder in options.val for sample in read_dataset(folder))
    val_crops = tuple(item for folder in options.val_crops for item in read_words(folder))
    run = _Run(options, preset, data, Judge(val, val_crops, clock, report), report)
    run.start()
    for stage in stages:
        run.train_stage(dataclasses.replace(stage, steps=options.steps or stage.steps))
        if run.is_stopped:
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
        judge: Judge,
        report: Report,
    ) -> None:
        self.options, self.data, self.judge, self.report = options, data, judge, report
        self.clock = judge.clock
        self.device = pick_device(options.device)
        self.model = move_to(self._start_model(preset), self.device)
        if options.compile:
            self.model.backbone.compile()
        self.is_stopped = False  # by the clock, before the last step of a stage
        self.done: dict[str, int] = {}  # steps done, a stage
        self.best: dict[str, float] = {}  # validation figure, a stage
        card = Card(self.model.config, training=_describe(options, data))
        resumed = options.out / "last" if options.resume else None
        self.folder = RunFolder(options.out, *start_card(card, resumed, options.init), self.clock)

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
                self.report(Progress(message=message))
            return model
        model, fresh = start_from(preset.model, str(self.options.init))
        if fresh:
            message = f"not in {self.options.init}, so random at first: {', '.join(fresh)}"
            self.report(Progress(message=message))
        return model

    def start(self) -> None:
        """Open the log, keep the memory of freed tensors on a CPU, and see how long figures take."""
        if self.device.type == "cpu":
            keep_freed_memory()
        self.folder.open(self.options)
        self.judge.expect(self.model)

    def finish(self) -> Card:
        """Measure the best checkpoint on validation photographs; return its card with the figures."""
        best = self.options.out / "best"
        if not self.judge.val or not best.exists():
            place = best if best.exists() else self.options.out / "last"
            unmeasured = "" if best.exists() else "; without --val they were not measured"
            self.report(Progress(message=f"The weights are in {place}{unmeasured}"))
            return self.folder.card
        card, result = self.judge.measure(best, self.options, str(self.device))
        self.report(Progress(message=f"The weights are in {best}. They reach: {result.summary()}"))
        self.folder.log({"event": "final", **dataclasses.asdict(result)})
        return card

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
                self._say_how_to_go_on(stage)
            raise
        except RuntimeError as error:
            known = device_error(error, str(self.device))
            if known is None:
                raise
            raise type(known)(f"{known}. {self._last_checkpoint()}") from error
        running.finish()

    def _run_steps(self, running: StageInProgress) -> None:
        stage = running.config
        first = self.done.get(stage.name, 0)
        self._report(stage, first, "preparing its data")
        data = self._data_for(stage)
        if stage.freeze_norms and not first:
            self._measure_norms(running)
        self._report(stage, first, "drawing the first batch")
        clock = StageClock(self.clock, first, stage.steps)
        running.begin_training()
        samples, waiting = 0, WaitClock()
        for step, batch in enumerate(waiting.timed(self._batches(data, stage, first)), start=first):
            losses = running.take_step(batch, step, clock.share(step))
            clock.count(step)
            self.done[stage.name] = step + 1
            samples += len(batch.images)
            speed = Speed(samples / max(clock.elapsed_s(), 1e-6), waiting.seconds)
            self._report_step(stage, step, losses, speed, clock.eta_s(step))
            over = clock.is_over(step)
            if over or (step + 1) % stage.validate_every == 0:
                self._validate(running, step)
            if over or time.monotonic() - self.folder.saved > 60 * stage.checkpoint_minutes:
                self._save(running)
            if over:
                break
        self.is_stopped = self.done[stage.name] < stage.steps
        if self.is_stopped:
            self._say_how_to_go_on(stage)

    def _last_checkpoint(self) -> str:
        last = self.options.out / "last"
        if not last.exists():
            return "There was no checkpoint yet"
        return f"The last checkpoint, {last}, is whole: --resume goes on from it"

    def _say_how_to_go_on(self, stage: StageConfig) -> None:
        done = f"{self.done[stage.name]:,} of {stage.steps:,} steps of the stage {stage.name} are done"
        more = f"the same command with --resume goes on from {self.options.out / 'last'}"
        self.report(Progress(message=f"{done}; {more}"))

    def _data_for(self, stage: StageConfig) -> TrainingData:
        if not (stage.reads_crops and stage.detected_outlines):
            return self.data
        spotter, total = (
            Spotter(TorchSceneEngine(self.model), Card(self.model.config).info, reads=False),
            len(self.data.photos),
        )

        def report(done: int) -> None:
            if done % OUTLINES_EVERY == 0 or done == total:
                self.report(Progress(message=f"outlined the words of {done} of {total} photographs"))

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
            worker_init_fn=use_one_thread,
        )
        for batch in loader:
            yield batch.to(self.device)

    def _measure_norms(self, running: StageInProgress) -> None:
        stage = running.config
        scenes = tuple(canvas for canvas in stage.canvases if canvas.source == "scenes")
        measured = dataclasses.replace(stage, canvases=scenes or stage.canvases, steps=NORM_BATCHES)
        running.measure_norms(self.clock.within(self._batches(self.data, measured, 0), NORM_SHARE))

    def _validate(self, running: StageInProgress, step: int) -> None:
        stage = running.config
        with running.averaged():
            result = self.judge.validate(self.model, stage)
        running.begin_training()
        if result is None:
            return
        self.folder.log(
            {
                "event": "validation",
                "stage": stage.name,
                "step": step + 1,
                "figure": round(result.figure, 4),
                **dataclasses.asdict(result),
            }
        )
        self.report(Progress(step + 1, stage.steps, message=result.summary()))
        if result.figure > self.best.get(stage.name, -1.0):
            self.best[stage.name] = result.figure
            sets = self.options.val_crops if stage.reads_crops else self.options.val
            self.folder.write("best", running, step + 1, card_metrics(result, sets))

    def _save(self, running: StageInProgress) -> None:
        """Write last/: averaged weights, usable as they are, and the state to resume from."""
        done = self.done[running.config.name]
        self.folder.write("last", running, done, progress={"done": self.done, "best": self.best})

    def _restore(self, running: StageInProgress) -> None:
        state = read_state(self.options.out / "last")
        self.done, self.best = state["done"], state["best"]
        running.restore(state)

    def _report(self, stage: StageConfig, step: int, what: str) -> None:
        eta_s = self.clock.left_s() if self.clock.is_limited else None
        self.report(Progress(step, stage.steps, eta_s=eta_s, at=f"stage {stage.name}: {what}"))

    def _report_step(
        self, stage: StageConfig, step: int, losses: dict[str, float], speed: Speed, eta_s: float | None
    ) -> None:
        rounded = {name: round(value, 4) for name, value in losses.items()}
        if step % LOG_EVERY == 0:
            row = {
                "event": "step",
                "stage": stage.name,
                "step": step,
                "seconds": round(self.clock.elapsed_s(), 1),
                "images_per_s": round(speed.images_per_s, 1),
                "waiting_s": round(speed.waiting_s, 2),
            }
            self.folder.log(row | rounded)
        at = f"stage {stage.name}"
        self.report(Progress(step + 1, stage.steps, rounded, round(speed.images_per_s, 1), eta_s, at=at))
