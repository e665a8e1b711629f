"""What each part of the recognizer brings on word crops, and what it costs (CLIP4STR, its ablations).

Run by hand on weights with a recognizer::

    python tests/bench/reading.py --model tiny --data DIR [--data DIR ...] [--photos DIR ...]

The ways of reading take turns, batch by batch, so that a busy machine slows all alike. With --photos,
photographs are ranked by what the embedder reads and by what the recognizer does, at every share of the
transcript and of the likelihood.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from stsearch.datasets.labelled_folder import read_dataset, read_words
from stsearch.engines.torch_engine import TorchCropEngine, fold_batch_norms, make_fast
from stsearch.evaluation import metrics
from stsearch.evaluation.catalogue import BENCHMARKS, FOLDER
from stsearch.evaluation.predictions import Predictions, predict
from stsearch.evaluation.scoring import score
from stsearch.images import read_image
from stsearch.search.query_encoder import load_query_encoder
from stsearch.spotting.load import load_recognizer_runner, load_spotter
from stsearch.spotting.recognition import BATCH, RecognizerRunner
from stsearch.training.validation import LIKELIHOOD_WEIGHTS, TRANSCRIPT_WEIGHTS
from stsearch.types import Image, Sample
from stsearch.weights.io import load_recognizer

WAYS = {  # whether the cross-modal branch has the last word, and how often both refine
    "visual branch": (False, 0),
    "visual branch, refined": (False, 1),
    "+ cross-modal branch": (True, 0),
    "+ cross-modal branch, refined": (True, 1),
    "+ cross-modal branch, refined twice": (True, 2),
}


def main() -> None:
    """Print one line a way of reading, then one a way of ranking."""
    arguments = parse_arguments()
    items = [item for folder in arguments.data for item in read_words(folder)]
    labels = [label for _, label in items]
    pictures = [read_image(path) for path, _ in items]
    readers = dict(each_way(arguments.model))
    texts: dict[str, list[str]] = {name: [] for name in readers}
    seconds = dict.fromkeys(readers, 0.0)
    for start in range(0, len(pictures), BATCH):
        for name, reader in readers.items():
            began = time.perf_counter()
            texts[name] += read(reader, pictures[start : start + BATCH])
            seconds[name] += time.perf_counter() - began
    for name, read_as in texts.items():
        print_line(name, labels, read_as, seconds[name])
    whole = load_recognizer_runner(arguments.model)
    print_line("as configured", labels, read(whole, pictures), 0.0)
    turned = [np.ascontiguousarray(picture[::-1, ::-1]) for picture in pictures]
    print_line("on their heads, orientation predicted", labels, read(whole, turned), 0.0)
    if arguments.photos:
        rank(arguments.model, [s for folder in arguments.photos for s in read_dataset(folder)])


def each_way(model: str) -> Iterator[tuple[str, RecognizerRunner]]:
    """Yield a reader for every way of reading."""
    for autoregressive in (True, False):
        for name, (cross_modal, refinements) in WAYS.items():
            recognizer = make_fast(fold_batch_norms(load_recognizer(model)))
            if cross_modal and recognizer.cross is None:
                continue
            recognizer.config = dataclasses.replace(
                recognizer.config,
                autoregressive=autoregressive,
                cross_modal=cross_modal,
                refinements=refinements,
            )
            reader = RecognizerRunner(TorchCropEngine(recognizer))
            yield f"{name}, {'one by one' if autoregressive else 'all at once'}", reader


def read(reader: RecognizerRunner, pictures: Sequence[Image]) -> list[str]:
    return [crop.best.text for crop in reader.read_pictures(pictures)]


def print_line(name: str, labels: list[str], texts: list[str], seconds: float) -> None:
    accuracy, ned = metrics.word_accuracy(labels, texts), metrics.one_minus_ned(labels, texts)
    speed = f"  {len(labels) / seconds:7.1f} words/s" if seconds else ""
    print(f"{name:56} accuracy {accuracy:.1%}  1-NED {ned:.1%}{speed}", flush=True)


def rank(model: str, samples: Sequence[Sample]) -> None:
    """Print the retrieval mAP at each share of transcript and likelihood, with and without recognizer."""
    encoder = load_query_encoder(model)
    for name, reads in (("embedder alone", False), ("recognizer", True)):
        found: Predictions = predict(load_spotter(model, reads=reads), samples)
        for transcript_weight, likelihood in itertools.product(TRANSCRIPT_WEIGHTS, LIKELIHOOD_WEIGHTS):
            ranking = encoder.with_weights(transcript_weight, likelihood)
            report = score(BENCHMARKS[FOLDER].truth(samples), found, ranking)
            print(
                f"{name}, transcript {transcript_weight:.2f}, likelihood {likelihood:.2f}: "
                f"mAP {report.mean_average_precision:.1%}, spotted {report.spotting.recall:.1%}, "
                f"{report.photos_per_s:.2f} photos/s",
                flush=True,
            )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--photos", type=Path, action="append", default=[])
    return parser.parse_args()


if __name__ == "__main__":
    main()
