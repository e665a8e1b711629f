"""One joint network against a detector and an embedder trained apart: TDSL's own claim (its section 4.4).

Run by hand, on weights of equal training::

    python tests/bench/apart.py --joint runs/joint/last --detector runs/det/last --embedder runs/sim/last \\
        --data DIR [--data DIR ...]

The networks apart run one after the other on every photograph: polygons of the one, features of the other.
Kernel thresholds are tried for both sides, so that neither profits from what was tuned on the other.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path

from stsearch.datasets.labelled_folder import read_dataset
from stsearch.engines.torch_engine import TorchSceneEngine
from stsearch.evaluation.catalogue import BENCHMARKS, FOLDER
from stsearch.evaluation.predictions import predict
from stsearch.evaluation.scoring import Report, score
from stsearch.images import Resize
from stsearch.models.scene_text import SceneTextModel
from stsearch.search.query_encoder import load_query_encoder
from stsearch.spotting.spotter import Spotter
from stsearch.types import Image, Sample, TextInstance
from stsearch.weights.io import load_model

THRESHOLDS = (0.5, 0.6, 0.7, 0.75)


class ApartSpotter(Spotter):
    """Detects with one network, embeds and reads with another."""

    def __init__(self, detector: Spotter, embedder: Spotter) -> None:
        super().__init__(embedder._engine, embedder.info)
        self._detector = detector

    def _find(self, images: Sequence[Image]) -> list[list[TextInstance]]:
        found = [self._spot_at(images, resize) for resize in self._resizes]
        return [list(itertools.chain(*sizes)) for sizes in zip(*found, strict=True)]

    def _spot_at(self, images: Sequence[Image], resize: Resize) -> list[list[TextInstance]]:
        seen, plans = self._detector._encode(images, resize)
        encoded, _ = self._encode(images, resize)
        return self._embed(encoded, self._detector._detect(seen, plans), [plan.inverse for plan in plans])


def main() -> None:
    """Print one line a side and threshold."""
    arguments = parse_arguments()
    samples = [s for folder in arguments.data for s in read_dataset(folder)][:: arguments.every]
    for threshold in arguments.threshold or THRESHOLDS:
        joint = load_spotter(arguments.joint, threshold)
        apart = ApartSpotter(
            load_spotter(arguments.detector, threshold), load_spotter(arguments.embedder, threshold)
        )
        print_line(f"joint, kernels cut at {threshold}", measure(joint, arguments.joint, samples))
        print_line(f"apart, kernels cut at {threshold}", measure(apart, arguments.embedder, samples))


def load_spotter(folder: Path, threshold: float) -> Spotter:
    """Load weights with another kernel threshold."""
    model, card = load_model(str(folder))
    return Spotter(TorchSceneEngine(with_threshold(model, threshold)), card.info)


def with_threshold(model: SceneTextModel, threshold: float) -> SceneTextModel:
    """Return ``model``, its kernels binarized at ``threshold``."""
    binarization = tuple(
        dataclasses.replace(each, binarize=threshold) for each in model.config.detector.binarization
    )
    detector = dataclasses.replace(model.config.detector, binarization=binarization)
    model.config = dataclasses.replace(model.config, detector=detector)
    return model


def measure(spotter: Spotter, weights: Path, samples: Sequence[Sample]) -> Report:
    """Score what ``spotter`` finds, with the query network of ``weights``."""
    encoder = load_query_encoder(str(weights))
    return score(BENCHMARKS[FOLDER].truth(samples), predict(spotter, samples), encoder)


def print_line(name: str, report: Report) -> None:
    """Print what one side reached."""
    print(
        f"{name:30}  mAP {report.mean_average_precision:.3f}  hmean {report.detection.hmean:.3f}  "
        f"spotted {report.spotting.recall:.3f}  {report.photos_per_s:.2f} photos/s",
        flush=True,
    )


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name in ("joint", "detector", "embedder"):
        parser.add_argument(f"--{name}", type=Path, required=True, help="folder of weights")
    parser.add_argument("--data", type=Path, action="append", required=True, help="labelled photographs")
    parser.add_argument("--every", type=int, default=1, help="take every such photograph")
    parser.add_argument("--threshold", type=float, action="append", help="where kernels are cut; repeatable")
    return parser.parse_args()


if __name__ == "__main__":
    main()
