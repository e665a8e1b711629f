"""Figures of a GPU machine, a line of JSON each, on stdout and in $OUT/figures.jsonl; and its photographs."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from program import ROOT


def tell(figure: str, **values: object) -> None:
    """Print a figure, and keep it where the environment says that results go."""
    line = json.dumps({"figure": figure, **values})
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
    out = os.environ.get("OUT")
    if out:
        Path(out).mkdir(parents=True, exist_ok=True)
        with (Path(out) / "figures.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def labelled_sets() -> list[Path]:
    """Return the labelled photographs to measure on: those of $DATA, else the rendered ones."""
    data = os.environ.get("DATA")
    found = [Path(data) / "val" / name for name in ("icdar15", "icdar03")] if data else []
    return [each for each in found if (each / "annotations.jsonl").is_file()] or [ROOT / "examples/gallery"]


def photographs() -> list[Path]:
    """Return the photographs of every set of $DATA, else the rendered ones."""
    data = os.environ.get("DATA")
    sets = [labels.parent for labels in sorted(Path(data).glob("*/*/annotations.jsonl"))] if data else []
    folders = sets or [ROOT / "examples/gallery"]
    return sorted(
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix.lower() in {".jpg", ".jpeg", ".png"} and ".stsearch" not in path.parts
    )


def device_name(device: str) -> str:
    """Return the name of the GPU, or of the processor."""
    import torch

    from stsearch.evaluation.machine import processor

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else processor()
