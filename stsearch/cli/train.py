"""``stsearch train``: options in, progress out; the training loop itself is ``stsearch.training.train``."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from stsearch.cli import completion, output
from stsearch.cli.progress import Step, progress_display

if TYPE_CHECKING:
    from stsearch.training.options import Progress, Report

JSON_EVERY_S = 1.0

Option = typer.Option
Folder: TypeAlias = Path | None
Folders: TypeAlias = list[Path] | None
_TRUST = " (FOLDER:partial: not all text is labelled; FOLDER:weak: outlines are rough)"
ClipSources = Annotated[
    list[str] | None,
    Option(
        "--clip-pretrained",
        metavar="SOURCE",
        help="Start cr50 from CLIP: openai, or files of RN50 and ViT-B-16.",
    ),
]


def train(
    out: Annotated[Path, Option(help="Folder for checkpoints and log.jsonl.")],
    preset: Annotated[
        str, Option(help="Size of the network: tiny or cr50.", autocompletion=completion.presets)
    ] = "tiny",
    config: Annotated[Path | None, Option(help="TOML file laid over the preset.")] = None,
    stage: Annotated[
        str,
        Option(help="Stage: contrast, words, scenes, spell, read, or all.", autocompletion=completion.stages),
    ] = "all",
    init: Annotated[Folder, Option(help="Start from the weights in this folder.")] = None,
    clip: ClipSources = None,
    resume: Annotated[bool, Option("--resume", help="Go on from the last checkpoint in --out.")] = False,
    data: Annotated[Folders, Option(help=f"Labelled photographs to train on{_TRUST}; repeatable.")] = None,
    val: Annotated[Folders, Option(help=f"Labelled photographs to validate on{_TRUST}; repeatable.")] = None,
    crops: Annotated[Folders, Option(help="Labelled word crops to train on; repeatable.")] = None,
    val_crops: Annotated[Folders, Option(help="Labelled word crops to validate on; repeatable.")] = None,
    fonts: Annotated[Folder, Option(help="Fonts to render with; default: the system's.")] = None,
    backgrounds: Annotated[Folder, Option(help="Photographs without text to render on.")] = None,
    words: Annotated[Path | None, Option(help="Words to render: lines of word<TAB>zipf frequency.")] = None,
    max_minutes: Annotated[float | None, Option(help="End in time; data, validation count.", min=0)] = None,
    steps: Annotated[int | None, Option(help="Stop after this many steps.", min=1)] = None,
    workers: Annotated[int, Option(help="Processes that render and load.", min=0)] = 2,
    device: Annotated[str, Option(help="auto, cpu or cuda[:N].")] = "auto",
    seed: Annotated[int, Option(help="Seed of everything random.")] = 1,
    compiled: Annotated[bool, Option("--compile", help="Compile the backbone, for long runs.")] = False,
    as_json: Annotated[bool, Option("--json", help="Write progress to stdout as JSON Lines.")] = False,
    quiet: output.Quiet = False,
) -> None:
    """Train the network on rendered scenes mixed with labelled photographs."""
    from stsearch.training.options import TrainOptions

    options = TrainOptions(
        out=out,
        preset=preset,
        config=config,
        stage=stage,
        init=init,
        clip_pretrained=tuple(clip or ()),
        resume=resume,
        data=tuple(data or ()),
        val=tuple(val or ()),
        crops=tuple(crops or ()),
        val_crops=tuple(val_crops or ()),
        fonts=fonts,
        backgrounds=backgrounds,
        words=words,
        max_minutes=max_minutes,
        steps=steps,
        workers=workers,
        device=device,
        seed=seed,
        compile=compiled,
    )
    options.check()  # before torch is imported, which takes seconds
    from stsearch.training.train import train as run

    with _reporter(as_json) as report:
        run(options, report)


@contextmanager
def _reporter(as_json: bool) -> Iterator[Report]:
    """Choose how progress is shown: JSON Lines on stdout, or by a display of steps on stderr."""
    if as_json:
        yield _json_lines(time.monotonic)
        return
    with progress_display("steps") as display:
        last = Step(0)  # of training itself: it stays in view

        def report(progress: Progress) -> None:
            nonlocal last
            if progress.message:
                output.note(progress.message)
            if progress.at:
                step = Step(progress.step, progress.steps, progress.at, more=_losses(progress))
                step = replace(step, left_s=progress.eta_s)
                last = step if progress.steps else last
                display.show(step)

        yield report
        display.show(replace(last, at="", left_s=None, is_over=True))


def _losses(progress: Progress) -> str:
    return " · ".join(f"{name} {loss:.3f}" for name, loss in progress.losses.items())


def _json_lines(clock: Callable[[], float]) -> Report:
    """Return a report that prints messages and last steps, and of the others one a second at most."""
    last = -math.inf

    def report(progress: Progress) -> None:
        nonlocal last
        is_last = 0 < progress.steps == progress.step
        if progress.message or is_last or clock() - last >= JSON_EVERY_S:
            last = clock()
            row = {"type": "progress", "schema": output.JSON_SCHEMA, **asdict(progress)}
            print(json.dumps(row), flush=True)

    return report
