"""``stsearch models``: shipped weights, what their cards say, whether files are whole; measuring weights."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from stsearch.cli import output
from stsearch.cli.card_text import at, card_lines
from stsearch.cli.completion import weights
from stsearch.cli.program import Program
from stsearch.cli.table import Cell
from stsearch.errors import UsageError, WeightsError

models = Program(
    help="List the shipped weights, show what they say of themselves, check their files, measure weights."
)

Name = Annotated[str, typer.Argument(help="Weights: a shipped name or a folder.", autocompletion=weights)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON Lines.")]


@dataclass(frozen=True, slots=True)
class _Listed:
    """One line of the list."""

    name: str
    parameters: int
    bytes: int
    map: float | None  # in [0, 1], on validation photographs; None when it was never measured
    reads: bool  # with a recognizer

    def cells(self) -> dict[str, Cell]:
        return {
            "name": Cell(output.printable(self.name), "bold"),
            "parameters": Cell(f"{self.parameters / 1e6:.1f} M", is_number=True),
            "file": Cell(f"{self.bytes / 1e6:.1f} MB", is_number=True),
            "mAP": Cell("-" if self.map is None else f"{100 * self.map:.1f}", is_number=True),
            "recognizer": Cell("yes" if self.reads else "no"),
        }


@models.callback(invoke_without_command=True)
def list_models(context: typer.Context, as_json: AsJson = False, quiet: output.Quiet = False) -> None:
    """List the shipped weights, show what they say of themselves, check their files, measure weights.

    The mAP is of the validation photographs that the card names.
    """
    if context.invoked_subcommand is not None:
        return
    from stsearch.weights.card import available

    listed, is_whole = [], True
    for name in available():
        try:
            listed.append(_list_one(name))
        except WeightsError as error:  # one damaged card does not hide the others
            output.complain(f"error: {output.printable(str(error))}")
            is_whole = False
    if as_json:
        for each in listed:
            print(json.dumps({"type": "model", "schema": output.JSON_SCHEMA, **asdict(each)}))
    else:
        output.print_rows([each.cells() for each in listed])
    if not is_whole:
        raise typer.Exit(WeightsError.exit_code)


@models.command("show", epilog="Example: stsearch models show tiny")
def show(
    name: Name,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole card as JSON.")] = False,
    quiet: output.Quiet = False,
) -> None:
    """Show the card: what the weights are, figures with their protocol, what they were trained on."""
    from stsearch.dataclass_io import to_dict
    from stsearch.weights.card import find_weights, read_card, weight_files

    folder = find_weights(name)
    card = read_card(folder)
    if as_json:
        print(json.dumps(to_dict(card)))
        return
    size_bytes = sum(file.stat().st_size for file in weight_files(folder, card) if file.is_file())
    for label, text in card_lines(card, size_bytes):
        print(f"{label:<11} {output.printable(text)}")


@models.command("verify", epilog="Example: stsearch models verify tiny")
def verify(
    name: Annotated[
        str | None,
        typer.Argument(help="A shipped name or a folder; default: all shipped.", autocompletion=weights),
    ] = None,
    as_json: AsJson = False,
    quiet: output.Quiet = False,
) -> None:
    """Compare the files of weights with the checksums in their cards. Exit code 13: one is damaged."""
    from stsearch.weights.card import available, checked, find_weights, read_card, weight_files

    is_whole = True
    for each in available() if name is None else [name]:
        folder = find_weights(each)
        try:
            for file, sha256 in weight_files(folder, read_card(folder)).items():
                checked(file, sha256)
                if as_json:
                    line = {"type": "whole", "schema": output.JSON_SCHEMA, "file": os.fspath(file)}
                    print(json.dumps({**line, "sha256": sha256}))
                elif not quiet:
                    print(f"{output.shown_path(file)}: whole, sha256 {sha256}")
        except WeightsError as error:
            output.complain(f"error: {output.printable(str(error))}")
            is_whole = False
    if not is_whole:
        raise typer.Exit(WeightsError.exit_code)


@models.command("export", epilog="Example: stsearch models export runs/scenes/best --data DATA/train/icdar15")
def export(
    name: Name,
    data: Annotated[
        list[Path],
        typer.Option(
            exists=True,
            help="Folder of photographs with words; activations are measured on them. Repeatable.",
        ),
    ],
    photos: Annotated[int, typer.Option(min=1, help="Photographs taken of them all.")] = 24,
    quiet: output.Quiet = False,
) -> None:
    """Export weights to the graphs that CPUs run, in 8 bits, and note them in their card.

    Take photographs that the weights were trained on, none that they are judged by. It needs the packages
    onnx and onnxruntime: pip install 'stsearch[export]'.
    """
    from stsearch.indexing.walk import walk_photos
    from stsearch.training.export import export as export_weights

    found = [folder / photo.path for folder in data for photo in walk_photos(folder).files]
    if not found:
        raise UsageError(f"no photographs in {', '.join(map(str, data))}")
    card = export_weights(name, found[:: -(-len(found) // photos)])
    if not quiet:
        print(*card.graphs, sep="\n")


@models.command("measure", epilog="Example: stsearch models measure runs/scenes/best --val DATA/val/icdar15")
def measure(
    name: Name,
    val: Annotated[
        list[Path],
        typer.Option(help="Labelled photographs that choose weights and calibration of scores; repeatable."),
    ],
    val_crops: Annotated[
        list[Path] | None, typer.Option(help="Labelled word crops for the recognizer; repeatable.")
    ] = None,
    report: Annotated[
        list[Path] | None, typer.Option(help="Labelled photographs that choose nothing; repeatable.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda[:N].")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line.")] = False,
    quiet: output.Quiet = False,
) -> None:
    """Measure weights on labelled photographs, and write figures and calibration to their card.

    The figures are of what a user runs: export weights before they are measured. Their prompt is frozen.
    """
    from stsearch.training.finalize import measure
    from stsearch.weights.card import find_weights, read_card

    folder = find_weights(name)
    if val_crops and not read_card(folder).recognizer_sha256:
        raise UsageError(f"{output.shown_path(folder)} has no recognizer: leave out --val-crops")
    card, result = measure(folder, val, val_crops or (), device, report or ())
    if as_json:
        row = {"type": "measured", "schema": output.JSON_SCHEMA, "weights": str(folder)}
        print(json.dumps(row | {"weights_sha256": card.identity, "metrics": card.metrics}))
        return
    print(result.summary())
    output.print_rows([_photo_figures(*each) for each in at(card.metrics, "validation", "by_set").items()])
    for set_name, figures in (at(card.metrics, "words", "by_set") if val_crops else {}).items():
        print(f"{output.printable(set_name)}: {_word_figures(figures)}")
    if not quiet:
        print(f"{output.shown_path(folder / 'card.json')} holds these figures")


def _photo_figures(set_name: str, figures: Mapping[str, float]) -> dict[str, Cell]:
    ratios = ("map", "precision", "recall", "hmean", "spotted")
    return {
        "photographs": Cell(output.printable(set_name), "bold"),
        "photos": Cell(str(figures["photos"]), is_number=True),
        "queries": Cell(str(figures["queries"]), is_number=True),
        **{name: Cell(f"{100 * figures[name]:.1f}", is_number=True) for name in ratios},
    }


def _word_figures(figures: Mapping[str, Any]) -> str:  # Any: JSON
    from stsearch.evaluation.recognition import WordReport

    return WordReport(**figures).summary()


def _list_one(name: str) -> _Listed:
    """Return what the list says of the shipped weights ``name``.

    Raises:
        WeightsError: the card is damaged, or a file is missing.
    """
    from stsearch.weights.card import find_weights, read_card, weight_files

    folder = find_weights(name)
    card = read_card(folder)
    try:
        size = sum(file.stat().st_size for file in weight_files(folder, card))
    except OSError as error:
        raise WeightsError(f"{error.filename} is missing; install the weights again") from error
    measured = at(card.metrics, "validation", "retrieval_map")
    score = float(measured) if isinstance(measured, int | float) else None
    return _Listed(name, card.parameters, size, score, bool(card.recognizer_sha256))
