"""``stsearch eval`` on word crops: folders with a labels.tsv, or databases of recognition benchmarks."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stsearch.cli.progress import Step, progress_display

if TYPE_CHECKING:
    from stsearch.evaluation.predictions import Conditions
    from stsearch.evaluation.recognition import WordReport

WORDS, STR = "words", "str"
"""Crops of one's own, in one report; the databases of scene text recognition, each in its own."""

_Items = Callable[[], Iterable[tuple[Path | bytes, str]]]


def evaluate_words(
    dataset: str, folders: Sequence[Path], model: str, where: tuple[str, str], as_json: bool
) -> None:
    """Measure reading alone, and print a report a set; ``where`` is device and engine."""
    from stsearch.api.jobs import evaluate_word_sets

    sets = list(_sets(dataset, folders))
    device, engine = where
    with progress_display("crops") as display:
        measured = list(
            evaluate_word_sets(
                ((name, read()) for name, read in sets),
                model=model,
                device=device,
                engine=engine,
                progress=lambda name, done: display.show(Step(done, at=name)),
            )
        )
    for each in measured:
        render = _as_line if as_json else _as_text
        print(render(each.name, each.report, each.conditions, each.weights_sha256))


def _sets(dataset: str, folders: Sequence[Path]) -> Iterator[tuple[str, _Items]]:
    """Yield each set with what reads it; that a set is there is checked at once."""
    if dataset == WORDS:
        from stsearch.datasets.labelled_folder import read_words

        items = [item for folder in folders for item in read_words(folder)]
        yield WORDS, lambda: items
        return
    from stsearch.datasets.lmdb_crops import find_word_sets

    for word_set in find_word_sets(folders):
        yield word_set.name, word_set.read


def _as_line(name: str, report: WordReport, conditions: Conditions, sha256: str) -> str:
    from stsearch.evaluation.recognition import WORD_RULE

    row = {"type": "eval", "schema": 1, "dataset": name, **dataclasses.asdict(report)}
    row["conditions"] = dataclasses.asdict(conditions)
    return json.dumps(row | {"weights_sha256": sha256, "rule": WORD_RULE})


def _as_text(name: str, report: WordReport, conditions: Conditions, sha256: str) -> str:
    from stsearch.datasets.lmdb_crops import WORD_SETS
    from stsearch.evaluation.published import RECOGNITION_SOURCE, published_recognition
    from stsearch.evaluation.recognition import WORD_RULE
    from stsearch.evaluation.reports.figures import figures_of_conditions

    published = f" (published figures are for {WORD_SETS[name]})" if name in WORD_SETS else ""
    return "\n".join(
        (
            f"{name}: {report.words} crops{published}",
            f"reading    accuracy {report.accuracy:.1%}, 1-NED {report.ned:.1%}; read once, as by index",
            f"augmented  accuracy {report.augmented_accuracy:.1%}, 1-NED {report.augmented_ned:.1%};"
            " test-time augmentation, as by search --like",
            *(
                f"published  {each.figure:.2f}% {each.method} ({RECOGNITION_SOURCE})"
                for each in published_recognition(name)
            ),
            f"speed      {report.words_per_s:.1f} words/s",
            *(f"{figure:<10} {text}" for figure, text in figures_of_conditions(conditions)),
            f"weights    sha256 {sha256}",
            f"scoring    {WORD_RULE}",
        )
    )
