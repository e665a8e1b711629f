"""From a name or folder of weights to what finds and reads words."""

from __future__ import annotations

from pathlib import Path

from stsearch.engines.contract import CropEngine, SceneEngine
from stsearch.engines.graph_engine import GraphCropEngine, GraphSceneEngine
from stsearch.engines.graphs import Graph, Open, find_runtime
from stsearch.errors import UsageError, WeightsError
from stsearch.memory import check_address_space, check_free_memory
from stsearch.spotting.recognition import RecognizerRunner
from stsearch.spotting.spotter import Spotter
from stsearch.weights.card import Card, checked, find_weights, read_card
from stsearch.weights.devices import find_device
from stsearch.worker_pool import usable_cores

ENGINES = ("auto", "openvino", "onnx", "torch")

# Bytes with which one photograph was read, on one core and for each. What is read with less ends in a crash.
_ADDRESSES, _ADDRESSES_PER_CORE = 2_000_000_000, 250_000_000
_MEMORY, _MEMORY_PER_CORE = 350_000_000, 50_000_000


def load_spotter(
    name_or_path: str = "tiny",
    device: str = "auto",
    reads: bool = True,
    engine: str = "auto",
    cores: int = 0,
) -> Spotter:
    """Load everything that finds, embeds and reads words in photographs.

    Args:
        name_or_path: Of the weights.
        device: auto, cpu or cuda[:N].
        reads: Whether the recognizer reads what is found; without it transcripts are rougher.
        engine: One of ``ENGINES``; auto: exported graphs on a CPU, where the weights have them, else torch.
        cores: that exported graphs use; 0: all.

    Raises:
        WeightsError: the weights are missing, damaged, not of this architecture, or have no graphs.
        DeviceError: ``device`` does not exist here, or there is too little memory.
        UsageError: the engine is unknown, not installed, or not for this device.
    """
    _check_memory(cores or usable_cores())
    folder = find_weights(name_or_path)
    card = read_card(folder)
    return Spotter(_scene_engine(folder, card, device, engine, cores), card.info, reads)


def load_recognizer_runner(
    name_or_path: str = "tiny", device: str = "auto", engine: str = "auto"
) -> RecognizerRunner:
    """Load the recognizer alone, ready to read crops; raises as :func:`load_spotter` does."""
    _check_memory(usable_cores())
    folder = find_weights(name_or_path)
    card = read_card(folder)
    return RecognizerRunner(_crop_engine(folder, card, device, engine))


def _check_memory(cores: int) -> None:
    check_address_space(_ADDRESSES + _ADDRESSES_PER_CORE * cores)
    check_free_memory(_MEMORY + _MEMORY_PER_CORE * cores)


def _scene_engine(folder: Path, card: Card, device: str, engine: str, cores: int) -> SceneEngine:
    graphs = _graphs(folder, card, device, engine, cores)
    if graphs is not None:
        return GraphSceneEngine(card.config, *graphs)
    from stsearch.engines.torch_engine import TorchSceneEngine
    from stsearch.weights.io import load_model

    return TorchSceneEngine(load_model(str(folder), device)[0])


def _crop_engine(folder: Path, card: Card, device: str, engine: str) -> CropEngine:
    graphs = _graphs(folder, card, device, engine)
    if graphs is not None and card.config.recognizer is not None:
        return GraphCropEngine(card.config.recognizer, *graphs)
    from stsearch.engines.torch_engine import TorchCropEngine, fold_batch_norms, make_fast
    from stsearch.weights.io import load_recognizer

    return TorchCropEngine(make_fast(fold_batch_norms(load_recognizer(str(folder), device))))


def _graphs(folder: Path, card: Card, device: str, engine: str, cores: int = 0) -> tuple[Open, str] | None:
    """Return what opens the graphs of weights, and their precision; None: torch is to be used."""
    if engine not in ENGINES:
        raise UsageError(f"no engine {engine!r}; choose one of {', '.join(ENGINES)}")
    on_cpu = find_device(device) == "cpu"
    if engine == "torch" or (engine == "auto" and not (on_cpu and card.graphs)):
        return None
    if not on_cpu:
        raise UsageError(f"--engine {engine} computes on a CPU: leave it out for --device {device}")
    if not card.graphs:
        raise WeightsError(
            f"{folder} has no graphs for --engine {engine}: make them with stsearch models export"
        )
    runtime = find_runtime(engine)
    if runtime is None:
        return None
    files = card.graphs

    def open_graph(name: str, callers: int) -> Graph:
        return runtime.open(checked(folder / name, files[name]), callers, cores or usable_cores())

    return open_graph, f"int8 ({runtime.name})"
