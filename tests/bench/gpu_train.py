"""Train the shipped weights further, for some minutes of a machine with a GPU: ``make gpu-train MINUTES=8``.

    PYTHONPATH=.:tests/support python tests/bench/gpu_train.py --minutes 8 [--stage read|scenes|close_ups]

Data, fonts, backgrounds and words are those of $DATA, $FONTS, $BACKGROUNDS and $WORDS; sets that are not
there are left out, and named. The run is in --work, with what resuming needs. After every validation the best
weights go to --out (safetensors and card, no optimizer), with the log: so whatever ends the process, they are
there, whole. Figures are lines of JSON: validation before and after, images a second, and whether the run
waited for its data or for the device.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import NoReturn

from gpu_figures import device_name, tell
from gpu_watch import busy, watched_gpu

from stsearch.config import StageConfig
from stsearch.datasets.labelled_folder import read_dataset, read_words
from stsearch.errors import StsearchError
from stsearch.training.checkpoint import replacing_folder
from stsearch.training.judge import Judge
from stsearch.training.options import Progress, TrainOptions
from stsearch.training.presets import load_preset, select_stages
from stsearch.training.run_clock import RunClock
from stsearch.training.train import train
from stsearch.weights.io import move_to, pick_device, start_from
from stsearch.worker_pool import usable_cores

PHOTOS = ("icdar15", "icdar03", "svt:partial")
CROPS = ("words-icdar15", "words-iiit5k", "words-iiit5k", "words-receipts")
VAL, VAL_CROPS = ("icdar15", "icdar03"), ("words-icdar15", "words-iiit5k")
MAX_FILE_BYTES = 16 * 2**20  # that such machines give back
SHARED_MEMORY_OF_JOB = 24 * 2**20  # six batches wait in /dev/shm for the training process, 4 MiB each
PUBLISH_EVERY_S = 20.0
INTERRUPTED = 130


class Publisher:
    """Puts what a run leaves into a folder for others: the best weights without an optimizer, and the log.

    Attributes:
        steps: that the stage has done.
        images_per_s: of the stage so far.
    """

    def __init__(self, work: Path, out: Path) -> None:
        self.steps, self.images_per_s = 0, 0.0
        self._work, self._out = work, out
        self._published = ("", 0)  # which checkpoint, and when its card was written
        self._last_s = -math.inf

    def report(self, progress: Progress) -> None:
        """Publish new weights at once and the log from time to time; tell messages on stderr."""
        if progress.losses:
            self.steps, self.images_per_s = progress.step, progress.samples_per_s
        if self._newest() != self._published or time.monotonic() - self._last_s > PUBLISH_EVERY_S:
            self.publish()
        if progress.message:
            print(progress.message, file=sys.stderr, flush=True)

    def publish(self) -> None:
        """Publish the best checkpoint, or the last where there is none yet, and the log."""
        self._last_s = time.monotonic()
        newest = self._newest()
        if newest != self._published:
            name = newest[0]
            self._copy_weights(name)
            self._published = newest
            tell("published", weights=name, after_steps=self.steps)
            if name == "best" and (self._out / "last").exists():
                shutil.rmtree(self._out / "last")
        if (self._work / "log.jsonl").is_file():
            self._out.mkdir(parents=True, exist_ok=True)
            part = self._out / "log.jsonl.part"
            part.write_bytes((self._work / "log.jsonl").read_bytes()[-MAX_FILE_BYTES:])
            part.replace(self._out / "log.jsonl")

    def _newest(self) -> tuple[str, int]:
        for name in ("best", "last"):
            card = self._work / name / "card.json"
            if card.is_file():
                return name, card.stat().st_mtime_ns
        return self._published

    def _copy_weights(self, name: str) -> None:
        with replacing_folder(self._out / name) as folder:
            for path in (self._work / name).iterdir():
                if path.suffix in {".safetensors", ".json"}:
                    shutil.copyfile(path, folder / path.name)

    def too_large(self) -> list[str]:
        """Return the published files that are too large to be given back."""
        files = [path for path in self._out.rglob("*") if path.is_file()]
        return sorted(path.name for path in files if path.stat().st_size > MAX_FILE_BYTES)


def named_sets(folder: Path, names: tuple[str, ...], missing: list[str]) -> tuple[Path, ...]:
    """Return the sets of ``folder`` that are there; the others are added to ``missing``."""
    found = []
    for name in names:
        if (folder / name.partition(":")[0]).is_dir():
            found.append(folder / name)
        elif str(folder / name) not in missing:
            missing.append(str(folder / name))
    return tuple(found)


def named_asset(variable: str, missing: list[str]) -> Path | None:
    """Return the path that an environment variable names; None, and added to ``missing``, where it is not."""
    path = os.environ.get(variable)
    if path and Path(path).exists():
        return Path(path)
    missing.append(f"${variable}")
    return None


def options_of(arguments: argparse.Namespace) -> TrainOptions:
    """Return the options of the run, and tell what they leave out."""
    missing: list[str] = []
    data = Path(os.environ.get("DATA", "data"))
    fonts, backgrounds, words = (named_asset(name, missing) for name in ("FONTS", "BACKGROUNDS", "WORDS"))
    options = TrainOptions(
        out=arguments.work,
        config=arguments.config,
        stage=arguments.stage,
        init=None if arguments.resume else arguments.init,
        resume=arguments.resume,
        data=named_sets(data / "train", PHOTOS, missing),
        crops=named_sets(data / "train", CROPS, missing),
        val=named_sets(data / "val", VAL, missing),
        val_crops=named_sets(data / "val", VAL_CROPS, missing),
        max_minutes=arguments.minutes,
        steps=arguments.steps,
        workers=jobs_that_fit(arguments.jobs),
        device=arguments.device,
        seed=arguments.seed,
        fonts=fonts,
        backgrounds=backgrounds,
        words=words,
    )
    tell("training data", stage=arguments.stage, jobs=options.workers, missing=missing)
    return options


def jobs_that_fit(wanted: int) -> int:
    """Return how many rendering processes the shared memory has room for, at most ``wanted``."""
    shared = Path("/dev/shm")
    if not shared.is_dir() or not wanted:
        return wanted
    return max(1, min(wanted, shutil.disk_usage(shared).free // SHARED_MEMORY_OF_JOB))


def figure_of(options: TrainOptions, stage: StageConfig, init: Path) -> float | None:
    """Return the validation figure of the weights that the run starts from; None without data for it."""
    val = tuple(sample for folder in options.val for sample in read_dataset(folder))
    crops = tuple(item for folder in options.val_crops for item in read_words(folder))
    model, _ = start_from(load_preset(options.preset, options.config).model, str(init))
    judge = Judge(val, crops, RunClock(None), lambda progress: None)
    result = judge.validate(move_to(model.eval(), pick_device(options.device)), stage)
    return None if result is None else round(result.figure, 4)


def tell_run(publisher: Publisher, work: Path, **more: object) -> None:
    """Tell how the run went, by its log."""
    rows = [json.loads(line) for line in (work / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    begun = max(at for at, row in enumerate(rows) if row["event"] == "start")
    steps = [row for row in rows[begun:] if row["event"] == "step"]
    checks = [row["figure"] for row in rows[begun:] if row["event"] == "validation"]
    share = None
    if len(steps) > 1:
        seconds, waited = (steps[-1][name] - steps[0][name] for name in ("seconds", "waiting_s"))
        share = round(waited / max(seconds, 1e-9), 3)
    tell(
        "training",
        steps=publisher.steps,
        images_per_s=publisher.images_per_s,
        waiting_for_data=share,
        bottleneck=None if share is None else "data" if share > 0.5 else "computing",
        validations=checks,
        **more,
    )


def main() -> int:
    """Train; return the exit code."""
    arguments = parse_arguments()
    signal.signal(signal.SIGTERM, _stop)
    started = time.monotonic()
    publisher = Publisher(arguments.work, arguments.out)
    samples: list[tuple[float, float]] = []
    code = 0
    try:
        device = pick_device(arguments.device)
        options = options_of(arguments)
        [stage] = select_stages(load_preset(options.preset, options.config), options.stage)
        options.check()
        tell("before", weights=str(arguments.init), validation=figure_of(options, stage, arguments.init))
        left = arguments.minutes - (time.monotonic() - started) / 60
        with watched_gpu() as samples:
            train(dataclasses.replace(options, max_minutes=max(left, 0.0)), publisher.report)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except StsearchError as error:
        print(f"error: {error}", file=sys.stderr)
        code = error.exit_code
    publisher.publish()
    if (arguments.work / "log.jsonl").is_file():
        tell_run(
            publisher,
            arguments.work,
            device=device_name(str(device)),
            minutes=round((time.monotonic() - started) / 60, 2),
            exit_code=code,
            too_large=publisher.too_large(),
            **busy(samples),
        )
    return code


def _stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--stage", default="read", help="read, scenes or close_ups")
    parser.add_argument("--init", type=Path, default=Path("weights/tiny"), help="weights to start from")
    parser.add_argument("--config", type=Path, help="TOML over the preset tiny, such as learning rates")
    parser.add_argument("--jobs", type=int, default=min(15, max(1, usable_cores() - 1)), help="that render")
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT") or "runs/gpu"))
    parser.add_argument("--work", type=Path, default=Path("runs/gpu-work"), help="of the run itself")
    parser.add_argument("--resume", action="store_true", help="go on from what is in --work")
    parser.add_argument("--steps", type=int, help="stop after so many")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
