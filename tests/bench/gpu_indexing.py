"""How fast ``stsearch index`` is on a GPU, how busy it keeps the GPU, and where its time goes.

    PYTHONPATH=.:tests/support python tests/bench/gpu_indexing.py [--photos 2000] [--seconds 45]

The photographs are the real ones, repeated under other names and in other sizes, so that none is a copy of
another. The run ends after so many seconds; the figures are of what was finished by then. The seconds of a
stage are of all threads together, without those of the stages inside; what a GPU computes is waited for where
its result is fetched, which is in the stage that started it.
"""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
from gpu_figures import device_name, photographs, tell
from gpu_watch import busy, watched_gpu
from stage_clock import timed_stages

from stsearch.api.jobs import index
from stsearch.api.model import load
from stsearch.images import read_image
from stsearch.indexing.progress import Progress

SIZES = (1280, 1120, 1600, 960, 1440)  # pixels of the longer side, in turn
STAGES = {
    "stsearch.indexing.indexer:decode_image": "decode",
    "stsearch.images:ResizePlan.forward": "resize",
    "stsearch.engines.torch_engine:TorchSceneEngine.encode": "network: scenes",
    "stsearch.engines.torch_engine:TorchSceneEngine.read_regions": "network: regions",
    "stsearch.engines.torch_engine:TorchCropEngine.read": "network: crops",
    "stsearch.engines.torch_engine:TorchCropEngine.log_probabilities": "network: character model",
    "stsearch.spotting.spotter:Spotter._find_regions": "outlines",
    "stsearch.spotting.spotter:Spotter._plan_sheets": "close-ups: plan",
    "stsearch.spotting.close_ups:Sheet.cut": "close-ups: cut",
    "stsearch.spotting.spotter:region_edges": "edges",
    "stsearch.spotting.spotter:decode_best_path": "decoding of regions",
    "stsearch.spotting.spotter:filter_proposals": "filter proposals",
    "stsearch.spotting.spotter:filter_readings": "filter readings",
    "stsearch.spotting.recognition:rectify": "cut crops",
    "stsearch.spotting.recognition:RecognizerRunner._best_readings": "decoding of crops",
    "stsearch.spotting.recognition:RecognizerRunner._choose": "rescoring",
    "stsearch.spotting.spotter:Spotter.spot": "spotting, the rest",
    "stsearch.gallery.gallery:Gallery.add": "gallery",
}


def write_photographs(folder: Path, count: int) -> None:
    """Write ``count`` photographs that are all different to ``folder``."""
    sources = list(itertools.islice(itertools.cycle(photographs()), count))

    def write(number: int, source: Path) -> None:
        image = cv2.cvtColor(read_image(source), cv2.COLOR_RGB2BGR)
        scale = SIZES[number % len(SIZES)] / max(image.shape[:2]) * (1 - 0.001 * (number // len(SIZES) % 100))
        resized = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / f"{number:05}.jpg"), resized, [cv2.IMWRITE_JPEG_QUALITY, 85 + number % 8])

    with ThreadPoolExecutor() as threads:
        list(threads.map(write, range(count), sources))


class Finished:
    """Notes when photographs are finished, and ends the run in time as Ctrl-C does."""

    def __init__(self, seconds: float) -> None:
        self.times: list[float] = []
        self._over = time.monotonic() + seconds

    def __call__(self, now: Progress) -> None:
        """Note how far the run is."""
        self.times.extend([time.monotonic()] * (now.done - len(self.times)))
        if time.monotonic() > self._over:
            raise KeyboardInterrupt

    def rate(self) -> float:
        """Return photographs a second from the first one that was finished on, so without warm-up."""
        return (len(self.times) - 1) / max(self.times[-1] - self.times[0], 1e-9) if self.times else 0.0


def main() -> int:
    """Index, and tell the figures; return 1 where not one photograph was indexed."""
    arguments = parse_arguments()
    with TemporaryDirectory(prefix="stsearch-indexing-") as home:
        os.environ["XDG_DATA_HOME"] = str(Path(home, "user"))  # the list of galleries
        photos = Path(home, "photos")
        photos.mkdir()
        started = time.monotonic()
        write_photographs(photos, arguments.photos)
        written = time.monotonic()
        networks = load(device=arguments.device, engine="torch")
        loaded = time.monotonic()
        finished = Finished(arguments.seconds)
        with timed_stages(STAGES) as (clock, missing), watched_gpu() as samples:
            stopped = False
            try:
                index(photos, model=networks, batch=arguments.batch, progress=finished).close()
            except KeyboardInterrupt:
                stopped = True
            seconds = time.monotonic() - loaded
    done = len(finished.times)
    tell(
        "indexing",
        device=device_name(networks.spotter.device),
        precision=networks.spotter.precision,
        photos=done,
        stopped_by_the_clock=stopped,
        photos_per_s=round(finished.rate(), 2),
        photos_per_s_with_first=round(done / seconds, 2),
        first_photo_s=round(finished.times[0] - loaded, 2) if finished.times else None,
        load_s=round(loaded - written, 2),
        writing_photographs_s=round(written - started, 2),
        **busy(samples),
    )
    longest = sorted(clock.seconds.items(), key=lambda stage: -stage[1])
    stages = {stage: round(own, 2) for stage, own in longest}
    tell("indexing stages", wall_s=round(seconds, 2), thread_seconds=stages, not_timed=missing)
    return 0 if done else 1


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=45, help="after which the run ends")
    parser.add_argument("--batch", type=int, help="photographs at once; default: as index chooses")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
