"""Training the reader on a CPU, attention as matrix products beside torch's fused kernel: the time of a step.

Run by hand, on an otherwise idle machine::

    python tests/bench/attention.py [--steps 5]

Both take turns at every batch, after one that warms them up. Words are rendered with the system's fonts.
"""

from __future__ import annotations

import argparse
import time
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch

from stsearch.config import StageConfig
from stsearch.engines.torch_engine import attention_for_training
from stsearch.models.scene_text import SceneTextModel, build_model
from stsearch.synth.renderer import load_assets
from stsearch.training.batches import Batch, BatchDataset, TrainingData
from stsearch.training.crops import CropBatch
from stsearch.training.memory import keep_freed_memory
from stsearch.training.objective import total_loss
from stsearch.training.presets import load_preset, select_stages

CPU = torch.device("cpu")


def seconds(
    model: SceneTextModel,
    batch: Batch | CropBatch,
    stage: StageConfig,
    attention: AbstractContextManager[None],
) -> float:
    """Return what the gradients of ``batch`` take."""
    model.zero_grad()
    started = time.perf_counter()
    with torch.autocast("cpu", dtype=torch.bfloat16), attention:
        losses = total_loss(model, batch, stage, np.random.default_rng(0))
    torch.stack([loss.float() for loss in losses.values()]).sum().backward()
    return time.perf_counter() - started


def main() -> None:
    """Print the median time of a step each way, and the ratio of the two."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=5)
    steps = parser.parse_args().steps
    preset = load_preset("tiny")
    [stage] = select_stages(preset, "read")
    batches = BatchDataset(TrainingData(load_assets()), preset.model, stage, steps)
    model = build_model(preset.model).train()
    keep_freed_memory()
    fused, apart = [], []
    for batch in (batches[0], *(batches[step] for step in range(steps))):
        fused.append(seconds(model, batch, stage, nullcontext()))
        apart.append(seconds(model, batch, stage, attention_for_training(CPU)))
    medians = {"fused kernel": float(np.median(fused[1:])), "matrix products": float(np.median(apart[1:]))}
    for name, median in medians.items():
        print(f"{name}: {1000 * median:.0f} ms a step")
    print(f"ratio: {medians['matrix products'] / medians['fused kernel']:.2f}")


if __name__ == "__main__":
    main()
