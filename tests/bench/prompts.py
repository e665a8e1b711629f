"""What language costs the detector: none, TCM (text tower per image), FastTCM with its tower and frozen.

Run by hand, with OMP_NUM_THREADS=1 on a CPU; speed does not depend on the weights, so they are random::

    python tests/bench/prompts.py --preset tiny [--size 960 1280] [--batch 1] [--device cuda]

The variants take turns, image by image, so that a busy machine slows all alike. FastTCM's paper reports its
detector 48 % faster than TCM's on a GPU.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import time
from collections.abc import Iterator
from statistics import median

import torch

from stsearch.config import ModelConfig, PromptConfig
from stsearch.models.scene_text import SceneTextModel, build_model, freeze_prompts
from stsearch.training.presets import load_preset
from stsearch.weights.io import pick_device

TURNS = 8


def variants(base: ModelConfig) -> Iterator[tuple[str, SceneTextModel]]:
    """Yield each variant of ``base`` with random weights, in evaluation mode."""
    backbone = dataclasses.replace(base.backbone, attention_pool=True)
    prompts = base.prompts or PromptConfig()
    plain = dataclasses.replace(
        base, prompts=None, backbone=dataclasses.replace(backbone, attention_pool=False)
    )
    yield "no prompts", build_model(plain)
    score_map = dataclasses.replace(prompts, query="none", bimodal=False, visual_layers=0)
    tcm = dataclasses.replace(prompts, query="image", bimodal=False)
    fast = dataclasses.replace(prompts, query="meta", bimodal=True)
    for name, settings in (("score map, frozen", score_map), ("TCM", tcm), ("FastTCM", fast)):
        model = build_model(dataclasses.replace(base, backbone=backbone, prompts=settings))
        if "frozen" in name:
            freeze_prompts(model)
        yield name, model
    offline = copy.deepcopy(model)
    freeze_prompts(offline)
    yield "FastTCM, frozen", offline


@torch.inference_mode()
def main() -> None:
    """Print one line a variant."""
    arguments = parse_arguments()
    device = pick_device(arguments.device)
    images = torch.randint(0, 256, (arguments.batch, 3, *arguments.size), dtype=torch.uint8, device=device)
    models = {name: model.eval().to(device) for name, model in variants(load_preset(arguments.preset).model)}
    seconds: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(TURNS):
        for name, model in models.items():
            seconds[name].append(time_once(model, images))
    tcm = median(seconds["TCM"][2:])
    for name, model in models.items():
        count = sum(p.numel() for p in model.parameters())
        spent = median(seconds[name][2:])  # the first turns compile kernels
        print(
            f"{name:24} {count / 1e6:7.2f} M parameters, {2 * count / 2**20:6.1f} MiB in half precision, "
            f"{arguments.batch / spent:6.2f} images/s, {tcm / spent:.2f} x TCM"
        )


def time_once(model: SceneTextModel, images: torch.Tensor) -> float:
    """Return the seconds that features and detection maps of one batch take; on a CPU, of its own time."""
    clock = time.process_time if images.device.type == "cpu" else time.perf_counter
    started = clock()
    with torch.autocast(images.device.type, dtype=torch.bfloat16):
        model.detect(model.features(images).levels)
    if images.device.type == "cuda":
        torch.cuda.synchronize()
    return clock() - started


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--preset", default="tiny", help="whose sizes are measured")
    parser.add_argument("--size", type=int, nargs=2, default=(960, 1280), help="height and width, times 32")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--device", default="auto")
    return parser.parse_args()


if __name__ == "__main__":
    main()
