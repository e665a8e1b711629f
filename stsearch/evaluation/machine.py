"""The machine a measurement ran on: what it is, and how much memory was taken."""

from __future__ import annotations

import platform
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from stsearch.worker_pool import usable_cores

if TYPE_CHECKING:
    from stsearch.evaluation.predictions import Conditions
    from stsearch.spotting.recognition import RecognizerRunner
    from stsearch.spotting.spotter import Spotter

_KIB = 1 if sys.platform == "darwin" else 1024  # the unit of ru_maxrss is a byte there


def conditions_of(spotter: Spotter, model: str) -> Conditions:
    """Return under which conditions ``spotter``, of the weights called ``model``, has read photographs."""
    from stsearch.weights.card import find_weights, read_card

    config = read_card(find_weights(model)).config
    size = f"{' and '.join(map(str, config.sizes))} pixels on the longer side"
    if config.close_ups is not None:
        size += f", close-ups at {' and '.join(map(str, config.close_ups.sizes))}"
    return _conditions(f"stsearch {config.name}", spotter.device, spotter.precision, size)


def recognizer_conditions(recognizer: RecognizerRunner, model: str) -> Conditions:
    """Return under which conditions ``recognizer``, of the weights called ``model``, has read word crops."""
    height, width = recognizer.config.size
    size = f"crops of {width} x {height} pixels"
    return _conditions(f"stsearch {model}", recognizer.device, recognizer.precision, size)


def _conditions(name: str, device: str, precision: str, input_size: str) -> Conditions:
    from stsearch.evaluation.predictions import Conditions

    gpu, device_memory_bytes = _gpu(device)
    return Conditions(
        system=name,
        hardware=gpu or processor(),
        precision=precision,
        input_size=input_size,
        peak_memory_bytes=peak_memory_bytes(),
        device_memory_bytes=device_memory_bytes,
    )


def _gpu(device: str) -> tuple[str, int]:
    """Return the name of a GPU, and the most of its memory that was taken; nothing for a CPU."""
    if not device.startswith("cuda"):
        return "", 0
    import torch

    return torch.cuda.get_device_name(device), torch.cuda.max_memory_allocated(device)


def engine_conditions(name: str) -> Conditions:
    """Return under which conditions the engine called ``name``, on the processor, has read photographs."""
    from stsearch.evaluation.predictions import Conditions

    chosen = "as the engine chooses"
    return Conditions(name, processor(), f"precision {chosen}", f"size {chosen}", peak_memory_bytes())


def processor() -> str:
    """Return the name of the processor, and how many of its cores this process may use."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    cores = usable_cores()
    return f"{name}, {cores} core{'s' if cores > 1 else ''}"


def peak_memory_bytes() -> int:
    """Return the most memory that this process, or one of the programs it ran, has held at once."""
    users = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return _KIB * max(resource.getrusage(user).ru_maxrss for user in users)
