"""``stsearch eval``: options in, figures out; what is measured, and how, is ``stsearch.evaluation``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stsearch.cli import completion
from stsearch.cli.eval_words import STR, WORDS, evaluate_words
from stsearch.cli.output import Quiet, note, shown_path
from stsearch.cli.progress import indexing_progress
from stsearch.cli.text_file import check_page, write_text
from stsearch.errors import ImageError, UsageError

if TYPE_CHECKING:
    from stsearch.evaluation.scoring import Report

BELOW_GATE = 1


def evaluate(
    data: Annotated[
        list[Path],
        typer.Option(help="Labelled photographs (FOLDER, FOLDER:partial, FOLDER:weak) or crops; repeatable."),
    ],
    dataset: Annotated[
        str,
        typer.Option(
            help="Benchmark whose rules apply, such as svt; words, str: of reading crops.",
            autocompletion=completion.datasets,
        ),
    ] = "folder",
    model: Annotated[
        str,
        typer.Option(
            help="Shipped weights by name, or a folder with a card.json.", autocompletion=completion.weights
        ),
    ] = "tiny",
    device: Annotated[str, typer.Option(help="auto, cpu or cuda[:N].")] = "auto",
    engine: Annotated[
        str,
        typer.Option(
            envvar="STSEARCH_ENGINE", help="auto, openvino, onnx or torch; auto: exported graphs on a CPU."
        ),
    ] = "auto",
    baseline: Annotated[
        str | None,
        typer.Option(
            help="Measure this OCR engine instead: rapidocr or tesseract.",
            autocompletion=completion.baselines,
        ),
    ] = None,
    queries_min_length: Annotated[
        int | None, typer.Option(help="Shorter words are no queries: 3 if you do not say.", min=1)
    ] = None,
    min_map: Annotated[float | None, typer.Option(help="Exit with 1 below this mAP, in percent.")] = None,
    predictions: Annotated[Path | None, typer.Option(help="Keep what was found in this .npz file.")] = None,
    rescore: Annotated[
        bool, typer.Option("--rescore", help="Score --predictions; find nothing anew.")
    ] = False,
    markdown: Annotated[Path | None, typer.Option(help="Write the report to this Markdown file.")] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write it to this HTML page, with plots and pictures.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Write the report to stdout as one JSON line.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Measure retrieval, detection and reading on labelled photographs, through the code that search uses.

    With --dataset words, measure reading alone, on folders of word crops with a labels.tsv; with --dataset
    str, on the databases of scene text recognition.
    """
    if dataset in (WORDS, STR):
        if rescore or any(each is not None for each in (predictions, min_map, baseline, markdown, html)):
            raise UsageError(f"--dataset {dataset} takes --data, --model, --device, --engine, --json alone")
        evaluate_words(dataset, data, model, (device, engine), as_json)
        return
    _check_files({"--predictions": predictions, "--markdown": markdown, "--html": html}, rescore)
    from stsearch.api import jobs
    from stsearch.evaluation.catalogue import find_benchmark

    benchmark = find_benchmark(dataset, queries_min_length, others=(WORDS, STR))
    if benchmark.rule is None and (min_map is not None or baseline is not None):
        raise UsageError(f"{dataset} measures no retrieval, which --min-map and --baseline are about")
    with indexing_progress() as progress:
        report = jobs.evaluate(
            data,
            dataset,
            model=model,
            device=device,
            engine=engine,
            baseline=baseline,
            min_query_length=queries_min_length,
            predictions=predictions,
            rescore=rescore,
            progress=progress,
        )
    _write(report, markdown, html)
    print(json.dumps(_as_row(report)) if as_json else _as_text(report))
    _exit(report, min_map)


def _exit(report: Report, min_map: float | None) -> None:
    """End with the code that says below the gate, or not everything read; return when all is well."""
    for photo in report.unreadable:
        note(f"could not be read, and counts as without text: {photo}")
    if min_map is not None and 100 * report.mean_average_precision < min_map:
        raise typer.Exit(BELOW_GATE)
    if report.unreadable:
        raise typer.Exit(ImageError.exit_code)


def _check_files(files: Mapping[str, Path | None], rescore: bool) -> None:
    if rescore and files["--predictions"] is None:
        raise UsageError("--rescore needs --predictions FILE, as an earlier run kept it")
    if (html := files["--html"]) is not None:
        check_page("--html", html)
    for option, path in files.items():
        if path is not None and not path.parent.is_dir():
            raise UsageError(f"{option}: there is no folder {path.parent}")


def _write(report: Report, markdown: Path | None, html: Path | None) -> None:
    from stsearch.evaluation.reports.html import to_html
    from stsearch.evaluation.reports.markdown import to_markdown

    for path, render in ((markdown, to_markdown), (html, to_html)):
        if path is not None:
            write_text(path, render(report))
            note(f"Wrote {shown_path(path.absolute())}")


def _as_row(report: Report) -> dict[str, object]:
    """Return the report as documented for ``--json``; ratios in [0, 1], what is not measured left out."""
    row: dict[str, object] = {
        "type": "eval",
        "schema": 1,
        "dataset": report.benchmark,
        "photos": report.photos,
    }
    if "retrieval" in report.measures:
        row |= {
            "queries": len(report.average_precision),
            "map": report.mean_average_precision,
            "ms_per_query": report.ms_per_query,
        }
    if "detection" in report.measures:
        detection = report.detection
        row |= {"precision": detection.precision, "recall": detection.recall, "hmean": detection.hmean}
    if "reading" in report.measures:
        row["spotted"] = report.spotting.recall
    return row | {
        "photos_per_s": report.photos_per_s,
        "conditions": dataclasses.asdict(report.conditions),
        "weights_sha256": report.weights_sha256,
        "deviation": report.truth.deviation,
        "query_rule": report.query_rule,
        "scoring_rule": report.scoring_rule,
        "average_precision": dict(report.average_precision),
    }


def _as_text(report: Report) -> str:
    from stsearch.evaluation.reports.figures import figures_of

    return "\n".join(f"{name:<10} {text}" if name else text for name, text in figures_of(report))
