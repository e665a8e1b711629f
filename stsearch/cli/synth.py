"""``stsearch synth``: render labelled scenes and word crops."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from stsearch.cli import output
from stsearch.cli.progress import Step, progress_display


def synth(
    out: Annotated[Path, typer.Option(help="Folder to write to.", file_okay=False)],
    scenes: Annotated[int, typer.Option(min=0, help="How many scenes to render.")],
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same bytes.")] = 0,
    size: Annotated[int, typer.Option(min=64, help="Side of a scene in pixels.")] = 640,
    fonts: Annotated[
        Path | None, typer.Option(help="Folder of .ttf and .otf files; default: the system's.")
    ] = None,
    backgrounds: Annotated[
        Path | None, typer.Option(help="Folder of photographs; default: textures.")
    ] = None,
    words: Annotated[
        Path | None, typer.Option(help="File of word<TAB>zipf lines; default: a built-in list.")
    ] = None,
    difficulty: Annotated[
        float, typer.Option(min=0, max=1, help="0: large, clear text; 1: the street.")
    ] = 1.0,
    crops: Annotated[int, typer.Option(min=0, help="How many word crops to render as well.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that render.")] = 1,
    sheet: Annotated[
        Path | None, typer.Option(help="PNG to draw a contact sheet to.", dir_okay=False)
    ] = None,
    quiet: output.Quiet = False,
) -> None:
    """Render labelled scenes with text, and word crops, reproducibly from a seed."""
    from stsearch.synth.renderer import load_assets
    from stsearch.synth.writer import DatasetOptions, write_dataset

    options = DatasetOptions(scenes, crops, seed, size, difficulty, jobs)
    assets = load_assets(fonts, backgrounds, words)
    with progress_display("pictures") as display:

        def show(done: int, path: str, words: Sequence[str]) -> None:
            display.show(Step(done, scenes + crops, at=path, read=words))

        summary = write_dataset(assets, out, options, show)
    if sheet is not None:
        from stsearch.synth.writer import write_sheet

        write_sheet(assets, sheet, options)
    if not quiet:
        typer.echo(
            f"{out}: {summary.scenes} scenes, {summary.words} words ({summary.legible} readable), "
            f"{summary.crops} crops"
        )
