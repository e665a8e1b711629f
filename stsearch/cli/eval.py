"""``stsearch eval``: options in, figures out; what is measured, and how, is ``stsearch.evaluate``."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stsearch.errors import UsageError

if TYPE_CHECKING:
    from stsearch.evaluate import Benchmark, Report
    from stsearch.indexing import Progress

BELOW_GATE = 1
WORDS = "words"


def evaluate(
    data: Annotated[
        list[Path], typer.Option(help="Folder of labelled photographs or, for words, of crops; repeatable.")
    ],
    dataset: Annotated[
        str, typer.Option(help="Benchmark whose rules apply; words: of reading crops.")
    ] = "folder",
    model: Annotated[
        str, typer.Option(help="Shipped weights by name, or a folder with a card.json.")
    ] = "tiny",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda[:N].")] = "auto",
    queries_min_length: Annotated[int, typer.Option(help="Shorter words are no queries.", min=1)] = 3,
    min_map: Annotated[float | None, typer.Option(help="Exit with 1 below this mAP, in percent.")] = None,
    predictions: Annotated[Path | None, typer.Option(help="Keep what was found in this .npz file.")] = None,
    rescore: Annotated[
        bool, typer.Option("--rescore", help="Score --predictions; find nothing anew.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write the report to stdout as one JSON line.")
    ] = False,
) -> None:
    """Measure retrieval, detection and reading on labelled photographs, through the code that search uses.

    With --dataset words, measure reading alone, on folders of word crops with a labels.tsv.
    """
    if dataset == WORDS:
        if rescore or predictions is not None or min_map is not None:
            raise UsageError("--dataset words takes none of --predictions, --rescore and --min-map")
        _evaluate_words(data, model, device, as_json)
        return
    from stsearch.evaluate import Predictions, predict_by_indexing, score
    from stsearch.query_encoder import load_query_encoder
    from stsearch.weights import load_spotter

    _check_predictions(predictions, rescore)
    benchmark = _find_benchmark(dataset, queries_min_length)
    samples = benchmark.read_all(data)
    encoder = load_query_encoder(model)
    if predictions is not None and rescore:
        found = Predictions.load(predictions)
    else:
        found = predict_by_indexing(load_spotter(model, device), data, _show_progress)
        if predictions is not None:
            found.save(predictions)
    report = score(samples, found, encoder, encoder.info.fusion, benchmark)
    print(json.dumps(_as_row(report)) if as_json else _as_text(report))
    if min_map is not None and 100 * report.mean_average_precision < min_map:
        raise typer.Exit(BELOW_GATE)


def _evaluate_words(data: list[Path], model: str, device: str, as_json: bool) -> None:
    from stsearch.cards import find_weights, read_card
    from stsearch.data.readers import read_words
    from stsearch.evaluate_words import WORD_RULE, evaluate_words
    from stsearch.weights import load_reader

    items = [item for folder in data for item in read_words(folder)]
    report = evaluate_words(load_reader(model, device), items)
    sha256 = read_card(find_weights(model)).identity
    if as_json:
        row = {"type": "eval", "schema": 1, "dataset": WORDS, **dataclasses.asdict(report)}
        print(json.dumps(row | {"weights_sha256": sha256, "rule": WORD_RULE}))
        return
    print(f"words: {report.words} crops")
    print(f"reading    accuracy {report.accuracy:.1%}, 1-NED {report.ned:.1%}")
    print(f"speed      {report.words_per_s:.1f} words/s")
    print(f"weights    sha256 {sha256}")
    print(f"scoring    {WORD_RULE}")


def _check_predictions(predictions: Path | None, rescore: bool) -> None:
    if rescore and predictions is None:
        raise UsageError("--rescore needs --predictions FILE, as an earlier run kept it")
    if predictions is not None and not predictions.parent.is_dir():
        raise UsageError(f"--predictions: there is no folder {predictions.parent}")


def _find_benchmark(name: str, min_length: int) -> Benchmark:
    from stsearch.evaluate import BENCHMARKS

    if name not in BENCHMARKS:
        names = ", ".join(sorted([*BENCHMARKS, WORDS]))
        raise UsageError(f"no dataset {name!r}; choose one of: {names}")
    return dataclasses.replace(BENCHMARKS[name], min_length=min_length)


def _show_progress(progress: Progress) -> None:
    if sys.stderr.isatty():
        print(f"\rindexing {progress.done}/{progress.total} photos", end="", file=sys.stderr, flush=True)


def _as_row(report: Report) -> dict[str, object]:
    """Return the report as documented for ``--json``; ratios in [0, 1]."""
    return {
        "type": "eval",
        "schema": 1,
        "dataset": report.benchmark,
        "photos": report.photos,
        "queries": len(report.average_precision),
        "map": report.mean_average_precision,
        "precision": report.detection.precision,
        "recall": report.detection.recall,
        "hmean": report.detection.hmean,
        "spotted": report.spotting.recall,
        "photos_per_s": report.photos_per_s,
        "weights_sha256": report.weights_sha256,
        "query_rule": report.query_rule,
        "scoring_rule": report.scoring_rule,
        "average_precision": dict(report.average_precision),
    }


def _as_text(report: Report) -> str:
    detection = report.detection
    return "\n".join(
        (
            f"{report.benchmark}: {report.photos} photos, {len(report.average_precision)} queries",
            f"retrieval  mAP {report.mean_average_precision:.1%}",
            f"detection  hmean {detection.hmean:.1%}, precision {detection.precision:.1%}, "
            f"recall {detection.recall:.1%}",
            f"reading    {report.spotting.recall:.1%} of the readable words spotted",
            f"speed      {report.photos_per_s:.2f} photos/s",
            f"weights    sha256 {report.weights_sha256}",
            f"queries    {report.query_rule}",
            f"scoring    {report.scoring_rule}",
        )
    )
