"""Side by side with the OCR engines people would use instead: same photographs, queries, ranking and AP code.

Run by hand, on an otherwise idle machine::

    pip install 'stsearch[peers]'          # RapidOCR; its wheel carries the PP-OCR models
    apt-get install tesseract-ocr          # Tesseract
    python tests/bench/peers.py --data DIR [--data DIR ...]

Every engine reads one photograph file at a time, decoding included. The engines take turns in short blocks of
photographs, so that a busy machine slows all alike. An OCR line counts as its words and as a whole, and ranks
by 1 - edit distance / longer length (the spotter baseline of PSTR); ours ranks as ``stsearch search`` does.
"""

from __future__ import annotations

import argparse
import csv
import logging
import platform
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stsearch.benchmarks.benchmark import GroundTruth
from stsearch.benchmarks.catalogue import BENCHMARKS, FOLDER, with_min_length
from stsearch.charset import ALPHANUMERIC, split_words
from stsearch.data.readers import read_dataset
from stsearch.evaluate import rank
from stsearch.image import read_image
from stsearch.metrics import mean_average_precision
from stsearch.search import Encoder
from stsearch.types import ModelInfo, Sample, TextInstance

Reads = Callable[[Path], list[TextInstance]]

BLOCK = (
    10  # photographs an engine reads before the next one's turn: its idle threads stop spinning in between
)
EDIT_SIMILARITY_ALONE = 1.0


class NotInstalledError(Exception):
    """An engine is missing here; the message says how to get it."""


class NoEmbedding:
    """The query encoder of engines that only read."""

    info = ModelInfo("edit similarity", "", ALPHANUMERIC, dim=1, longer_side=0, fusion=EDIT_SIMILARITY_ALONE)

    def __call__(self, words: Sequence[str]) -> NDArray[np.float32]:
        return np.zeros((len(words), 1), np.float32)


@dataclass(slots=True)
class Engine:
    """An engine and what it has read so far."""

    name: str
    read: Reads
    encoder: Encoder
    found: dict[Path, list[TextInstance]] = field(default_factory=dict)
    seconds: float = 0.0

    def read_block(self, photos: Sequence[Path]) -> None:
        start = time.perf_counter()
        for photo in photos:
            self.found[photo] = self.read(photo)
        self.seconds += time.perf_counter() - start

    def mean_ap(self, truth: GroundTruth) -> float:
        found = [self.found[sample.image] for sample in truth.samples]
        scores = rank(truth.queries, found, self.encoder, self.encoder.info.fusion)
        return mean_average_precision(truth.relevance(), scores)


def load_ours(model: str) -> Engine:
    from stsearch.query_encoder import load_query_encoder
    from stsearch.weights import load_spotter

    spotter = load_spotter(model, "cpu")
    name = f"stsearch {spotter.info.name}@{spotter.info.sha256[:8]}"
    return Engine(name, lambda photo: spotter.spot([read_image(photo)])[0], load_query_encoder(model))


def load_rapidocr() -> Engine:
    try:
        from importlib.metadata import version

        from rapidocr import RapidOCR
    except ImportError as error:
        raise NotInstalledError("RapidOCR: pip install 'stsearch[peers]'") from error
    engine = RapidOCR()
    logging.getLogger("RapidOCR").setLevel(logging.ERROR)  # it warns of every photograph without text

    def read(photo: Path) -> list[TextInstance]:
        return as_instances(engine(str(photo)).txts or ())

    return Engine(f"RapidOCR {version('rapidocr')}", read, NoEmbedding())


def load_tesseract() -> Engine:
    program = shutil.which("tesseract")
    if program is None:
        raise NotInstalledError("Tesseract: apt-get install tesseract-ocr")
    first_line = _output([program, "--version"]).split("\n")[0]

    def read(photo: Path) -> list[TextInstance]:
        # Page segmentation 11, sparse text, is the one for photographs.
        table = _output([program, str(photo), "stdout", "--psm", "11", "tsv"])
        lines: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for row in csv.DictReader(table.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE):
            if (row["text"] or "").strip():
                lines[row["block_num"], row["par_num"], row["line_num"]].append(row["text"])
        return as_instances([" ".join(words) for words in lines.values()])

    return Engine(first_line.capitalize(), read, NoEmbedding())


def _output(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True).stdout


def as_instances(lines: Sequence[str]) -> list[TextInstance]:
    """Return the words of every line, and every line of several words as a whole."""
    nowhere, nothing = np.zeros((0, 2), np.float32), np.zeros(1, np.float32)
    words = dict.fromkeys(word for line in lines for word in (*split_words(line), "".join(split_words(line))))
    return [TextInstance(nowhere, 1.0, word, 1.0, nothing) for word in words if word]


def load_engines(names: Sequence[str], model: str) -> list[Engine]:
    loaders: Mapping[str, Callable[[], Engine]] = {
        "ours": lambda: load_ours(model),
        "rapidocr": load_rapidocr,
        "tesseract": load_tesseract,
    }
    engines = []
    for name in names:
        try:
            engines.append(loaders[name]())
        except NotInstalledError as error:
            print(f"skipped: {error}", file=sys.stderr)
    return engines


def read_in_turns(engines: Sequence[Engine], photos: Sequence[Path]) -> None:
    """Let every engine read every photograph; the first one also once before the clock starts."""
    for engine in engines:
        engine.read(photos[0])
    for first in range(0, len(photos), BLOCK):
        for engine in engines:
            engine.read_block(photos[first : first + BLOCK])
        print(f"\r{min(first + BLOCK, len(photos))}/{len(photos)} photographs", end="", file=sys.stderr)
    print(file=sys.stderr)


def print_table(engines: Sequence[Engine], sets: Mapping[str, Sequence[Sample]], min_length: int) -> None:
    benchmark = with_min_length(BENCHMARKS[FOLDER], min_length)
    truths = [benchmark.truth(samples) for samples in sets.values()]
    for name, truth in zip(sets, truths, strict=True):
        print(f"{name}: {len(truth.samples)} photos, {len(truth.queries)} queries")
    print(f"{'engine':<28}" + "".join(f"{f'mAP {name}':>16}" for name in sets) + f"{'photos/s':>10}")
    for engine in engines:
        figures = (f"{100 * engine.mean_ap(truth):>16.1f}" for truth in truths)
        print(f"{engine.name:<28}" + "".join(figures) + f"{len(engine.found) / engine.seconds:>10.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, action="append", required=True, help="labelled folder; repeatable"
    )
    parser.add_argument(
        "--engines", nargs="+", default=["ours", "rapidocr", "tesseract"], help="which to run"
    )
    parser.add_argument("--model", default="tiny", help="our weights")
    parser.add_argument("--limit", type=int, help="photographs of each folder")
    parser.add_argument("--queries-min-length", type=int, default=3)
    options = parser.parse_args()

    sets = {str(folder): list(islice(read_dataset(folder), options.limit)) for folder in options.data}
    everything = [sample for samples in sets.values() for sample in samples]
    engines = load_engines(options.engines, options.model)
    print(f"{platform.processor() or platform.machine()}, {platform.platform()}")
    read_in_turns(engines, [sample.image for sample in everything])
    named = {folder.name: sets[str(folder)] for folder in options.data}
    print_table(engines, {"all": everything, **named}, options.queries_min_length)


if __name__ == "__main__":
    main()
