"""Side by side with the OCR engines people would use instead: same photographs, queries, ranking and AP code.

Run by hand, on an otherwise idle machine::

    pip install 'stsearch[peers]'          # RapidOCR; its wheel carries the PP-OCR models
    apt-get install tesseract-ocr          # Tesseract
    python tests/bench/peers.py --data DIR [--data DIR ...]

Every engine reads one photograph at a time, decoding included; ours also as ``stsearch index`` does, in a
process a core ("indexing"). The engines take turns in short blocks of photographs, so that a busy machine
slows all alike; ``stsearch eval --baseline`` measures one of them alone. The engines and their ranking are
``stsearch.evaluation.baselines``; ours ranks as ``stsearch search`` does.
"""

from __future__ import annotations

import argparse
import atexit
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from stsearch.datasets.labelled_folder import read_dataset
from stsearch.errors import UsageError
from stsearch.evaluation.baselines import BASELINES, EditSimilarity, load_baseline
from stsearch.evaluation.benchmark import GroundTruth
from stsearch.evaluation.catalogue import BENCHMARKS, FOLDER, with_min_length
from stsearch.evaluation.machine import processor
from stsearch.evaluation.metrics import mean_average_precision
from stsearch.evaluation.scoring import photo_scores
from stsearch.gallery.records import PhotoFile, Spotted
from stsearch.images import decode_image, read_image
from stsearch.images.files import read_content
from stsearch.images.formats import check_header
from stsearch.indexing.reader import ReadLimits
from stsearch.indexing.stages import ReadFile
from stsearch.indexing.worker_count import worker_count
from stsearch.indexing.worker_messages import Networks
from stsearch.indexing.worker_processes import WorkerProcesses
from stsearch.search.engine import Encoder
from stsearch.types import ModelInfo, Sample, TextInstance
from stsearch.weights.card import check_weights

Reads = Callable[[Path], list[TextInstance]]

BLOCK = 10  # photographs an engine reads before the next one's turn: idle threads stop spinning in between


@dataclass(slots=True)
class Engine:
    """An engine and what it has read so far."""

    name: str
    read: Reads
    encoder: Encoder
    found: dict[Path, list[TextInstance]] = field(default_factory=dict)
    threads: int = 1  # that read a photograph each
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def read_block(self, photos: Sequence[Path]) -> None:
        start, cpu_start = time.perf_counter(), cpu_seconds()
        with ThreadPoolExecutor(self.threads) as pool:
            self.found |= dict(zip(photos, pool.map(self.read, photos), strict=True))
        self.seconds += time.perf_counter() - start
        self.cpu_seconds += cpu_seconds() - cpu_start

    def mean_ap(self, truth: GroundTruth) -> float:
        found = [self.found[sample.image] for sample in truth.samples]
        scores = photo_scores(truth.search_queries, found, self.encoder)
        return mean_average_precision(truth.relevance(), scores)


def cpu_seconds() -> float:
    """Return the time that all cores have spent on this process and on the programs that it ran or runs."""
    times = os.times()
    spent = times.user + times.system + times.children_user + times.children_system
    return spent + sum(map(_cpu_seconds_of, _children()))


def _children() -> Iterator[list[str]]:
    """Yield what ``/proc/PID/stat`` says, from the parent on, of the processes that this one started."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            known = (process / "stat").read_text().rpartition(")")[2].split()
            if int(known[1]) == os.getpid():
                yield known


def _cpu_seconds_of(known: list[str]) -> float:
    return sum(map(int, known[11:15])) / os.sysconf("SC_CLK_TCK")  # its own time, and of its children


def load_ours(model: str) -> Engine:
    from stsearch.search.query_encoder import load_query_encoder
    from stsearch.spotting.load import load_spotter

    spotter = load_spotter(model, "cpu")

    def read(photo: Path) -> list[TextInstance]:
        return spotter.spot([decode_image(photo, spotter.decode_side).image])[0]

    return Engine(_name(spotter.info), read, load_query_encoder(model))


def load_indexing(model: str) -> Engine:
    """Return ours as ``stsearch index`` runs it: processes that read photographs of any folder."""
    from stsearch.search.query_encoder import load_query_encoder

    info = check_weights(model).info
    networks = Networks(model, "cpu", "auto", reads=True)
    processes = WorkerProcesses(info, networks, worker_count(on_cpu=True), on_cpu=True)
    workers = processes.of_run(Path("/"), ReadLimits(), batch=0)
    atexit.register(workers.__enter__().__exit__, None, None, None)

    def read(photo: Path) -> list[TextInstance]:
        file = PhotoFile.from_stat(str(photo.resolve())[1:], photo.stat())
        [record] = workers.spot([ReadFile(file, read_content(photo, check_header))])
        assert isinstance(record, Spotted), record
        return list(record.instances)

    return Engine(f"{_name(info)}, indexing", read, load_query_encoder(model), threads=workers.count)


def _name(info: ModelInfo) -> str:
    return f"stsearch {info.name}@{info.sha256[:8]}"


def load_peer(name: str) -> Engine:
    engine = load_baseline(name)
    return Engine(engine.name, lambda photo: engine.spot([read_image(photo)])[0], EditSimilarity(engine.info))


def load_engines(names: Sequence[str], model: str) -> list[Engine]:
    engines = []
    for name in names:
        try:
            ours = {"ours": load_ours, "indexing": load_indexing}.get(name)
            engines.append(load_peer(name) if ours is None else ours(model))
        except UsageError as error:
            print(f"skipped: {error}", file=sys.stderr)
    return engines


def read_in_turns(engines: Sequence[Engine], photos: Sequence[Path]) -> None:
    """Let every engine read every photograph; the first ones also once before the clock starts."""
    for engine in engines:
        with ThreadPoolExecutor(engine.threads) as pool:
            list(pool.map(engine.read, photos[: engine.threads]))
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
    speeds = f"{'photos/s':>10}{'CPU s/photo':>13}"
    print(f"{'engine':<36}" + "".join(f"{f'mAP {name}':>16}" for name in sets) + speeds)
    for engine in engines:
        figures = (f"{100 * engine.mean_ap(truth):>16.1f}" for truth in truths)
        count = len(engine.found)
        speeds = f"{count / engine.seconds:>10.2f}{engine.cpu_seconds / count:>13.2f}"
        print(f"{engine.name:<36}" + "".join(figures) + speeds)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, action="append", required=True, help="labelled folder; repeatable"
    )
    parser.add_argument("--engines", nargs="+", default=["ours", "indexing", *BASELINES], help="which to run")
    parser.add_argument("--model", default="tiny", help="our weights")
    parser.add_argument("--limit", type=int, help="photographs of each folder")
    parser.add_argument("--queries-min-length", type=int, default=3)
    options = parser.parse_args()

    sets = {str(folder): list(islice(read_dataset(folder), options.limit)) for folder in options.data}
    everything = [sample for samples in sets.values() for sample in samples]
    engines = load_engines(options.engines, options.model)
    print(f"{processor()}, {platform.platform()}")
    read_in_turns(engines, [sample.image for sample in everything])
    named = {folder.name: sets[str(folder)] for folder in options.data}
    print_table(engines, {"all": everything, **named}, options.queries_min_length)


if __name__ == "__main__":
    main()
