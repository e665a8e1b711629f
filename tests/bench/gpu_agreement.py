"""Whether a GPU finds and reads what a CPU does: outlines, transcripts and mAP of the same photographs.

    PYTHONPATH=.:tests/support python tests/bench/gpu_agreement.py [--device cuda] [--photos 100]

The GPU is compared with the torch engine of the CPU, which must agree, and with the exported graphs in 8
bits where their runtime is installed, for comparison only: they lose up to half a point of mAP by themselves.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from gpu_figures import labelled_sets, tell
from polygon_fixtures import polygon_iou

from stsearch.api.jobs import evaluate
from stsearch.engines.graphs import find_runtime
from stsearch.evaluation.predictions import Predictions
from stsearch.spotting.proposals import suppress_overlaps
from stsearch.text.charset import normalize
from stsearch.types import TextInstance

MAX_MAP_DIFFERENCE = 0.3  # points
MIN_SAME_OUTLINES, MIN_SAME_TRANSCRIPTS = 0.92, 0.94  # bfloat16 and float32 of one CPU: 0.96 and 0.97
SAME_PLACE = 0.5  # intersection over union


@dataclass(frozen=True)
class Found:
    """What one engine makes of the photographs."""

    mean_average_precision: float
    photos_per_s: float
    words: dict[Path, list[TextInstance]]


def thin_out(sets: Sequence[Path], photos: int, out: Path) -> list[Path]:
    """Write every nth photograph of ``sets``, ``photos`` in all, to ``out``; return the folders."""
    rows = [
        (folder, json.loads(line))
        for folder in sets
        for line in (folder / "annotations.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    folders: dict[Path, Path] = {}
    for folder, row in rows[:: max(1, len(rows) // photos)][:photos]:
        place = folders.setdefault(folder, out / f"{len(folders)}-{folder.name}")
        image = place / row["image"]
        image.parent.mkdir(parents=True, exist_ok=True)
        image.symlink_to((folder / row["image"]).resolve())
        with (place / "annotations.jsonl").open("a", encoding="utf-8") as labels:
            labels.write(json.dumps(row) + "\n")
    return list(folders.values())


def find_words(sets: Sequence[Path], device: str, engine: str, file: Path) -> Found:
    """Index the photographs and score them, as ``stsearch eval`` does."""
    report = evaluate(sets, device=device, engine=engine, predictions=file)
    instances = Predictions.load(file).instances
    words = {photo: suppress_overlaps(found) for photo, found in instances.items()}
    return Found(100 * report.mean_average_precision, report.photos_per_s, words)


def compare(one: Found, other: Found) -> tuple[float, float]:
    """Return the share of outlines that both found, and of those the share with the same transcript."""
    count = same_place = same_text = 0
    for photo, words in one.words.items():
        others = list(other.words[photo])
        count += len(words) + len(others)
        for word in words:
            nearest = max(others, key=lambda each: polygon_iou(word.polygon, each.polygon), default=None)
            if nearest is None or polygon_iou(word.polygon, nearest.polygon) < SAME_PLACE:
                continue
            others.remove(nearest)
            same_place += 1
            same_text += normalize(word.transcript) == normalize(nearest.transcript)
    return (2 * same_place / count if count else 1.0, same_text / same_place if same_place else 1.0)


def main() -> int:
    """Tell how far the engines agree; return 1 where they should and do not."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--photos", type=int, default=100)
    arguments = parser.parse_args()
    others = {"cpu, torch": "torch"}
    if (runtime := find_runtime("auto")) is not None:
        others[f"cpu, int8 ({runtime.name})"] = "auto"
    agree = True
    with TemporaryDirectory(prefix="stsearch-agreement-") as home:
        sets = thin_out(labelled_sets(), arguments.photos, Path(home))
        ours = find_words(sets, arguments.device, "torch", Path(home, "device.npz"))
        for name, engine in others.items():
            theirs = find_words(sets, "cpu", engine, Path(home, f"{engine}.npz"))
            outlines, transcripts = compare(ours, theirs)
            difference = ours.mean_average_precision - theirs.mean_average_precision
            passed = (
                abs(difference) <= MAX_MAP_DIFFERENCE
                and outlines >= MIN_SAME_OUTLINES
                and transcripts >= MIN_SAME_TRANSCRIPTS
            )
            agree &= passed or engine != "torch"
            tell(
                "agreement",
                device=arguments.device,
                against=name,
                passed=passed,
                photos=len(ours.words),
                map=round(ours.mean_average_precision, 2),
                map_against=round(theirs.mean_average_precision, 2),
                same_outlines=round(outlines, 4),
                same_transcripts=round(transcripts, 4),
                photos_per_s=round(ours.photos_per_s, 2),
                photos_per_s_against=round(theirs.photos_per_s, 2),
            )
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
