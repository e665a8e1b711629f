"""``stsearch train``: options in, progress out; the training loop itself is ``stsearch.training.train``."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from stsearch.cli import completion, output

if TYPE_CHECKING:
    from stsearch.training.train import Progress, Report

QUIET_S = 30.0  # a log file gets a line this often: enough to see life, too few to drown the messages

Option = typer.Option
Folder: TypeAlias = Path | None
Folders: TypeAlias = list[Path] | None
_TRUST = " (FOLDER:partial: not all text is labelled; FOLDER:weak: outlines are rough)"
ClipSources = Annotated[
    list[str] | None,
    Option("--clip-pretrained", help="Start cr50 from CLIP: openai, or files of RN50 and ViT-B-16."),
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
    max_minutes: Annotated[float | None, Option(help="Stop in time, with a checkpoint.", min=0)] = None,
    steps: Annotated[int | None, Option(help="Stop after this many steps.", min=1)] = None,
    workers: Annotated[int, Option(help="Processes that render and load.", min=0)] = 2,
    device: Annotated[str, Option(help="auto, cpu or cuda[:N].")] = "auto",
    seed: Annotated[int, Option(help="Seed of everything random.")] = 1,
    compiled: Annotated[bool, Option("--compile", help="Compile the backbone, for long runs.")] = False,
    as_json: Annotated[bool, Option("--json", help="Write progress to stdout as JSON Lines.")] = False,
) -> None:
    """Train the network on rendered scenes mixed with labelled photographs."""
    from stsearch.training.train import TrainOptions, train

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
    with _reporter(as_json) as report:
        train(options, report)


@contextmanager
def _reporter(as_json: bool) -> Iterator[Report]:
    """Choose how progress is shown: JSON Lines on stdout, or a bar or plain lines on stderr."""
    if as_json:
        yield _write_json
    elif sys.stderr.isatty():
        with _bar() as report:
            yield report
    else:
        yield _lines(time.monotonic)


def _write_json(progress: Progress) -> None:
    print(json.dumps({"type": "progress", "schema": output.JSON_SCHEMA, **asdict(progress)}), flush=True)


@contextmanager
def _bar() -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("starting")

        def report(progress: Progress) -> None:
            bar.update(task, completed=progress.step, total=progress.steps, description=_summary(progress))
            if progress.message:
                bar.console.print(progress.message, markup=False)

        yield report


def _lines(clock: Callable[[], float]) -> Report:
    last = -QUIET_S

    def report(progress: Progress) -> None:
        nonlocal last
        if progress.message:
            output.note(progress.message)
        if clock() - last >= QUIET_S:
            last = clock()
            output.note(f"step {progress.step}/{progress.steps} · {_summary(progress)}")

    return report


def _summary(progress: Progress) -> str:
    losses = (f"{name} {loss:.3f}" for name, loss in progress.losses.items())
    eta = timedelta(seconds=round(progress.eta_s))
    return " · ".join((*losses, f"{progress.samples_per_s:.0f} samples/s", f"ETA {eta}"))
