"""Networks from and to weights on disk: a card beside safetensors.

Loading is strict and verifies the checksum first; nothing here unpickles.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from stsearch.checksums import file_sha256
from stsearch.config import ModelConfig
from stsearch.dataclass_io import to_dict
from stsearch.device_errors import device_error
from stsearch.errors import DeviceError, UsageError, WeightsError, WriteError
from stsearch.models.recognizer import Recognizer, build_recognizer
from stsearch.models.scene_text import SceneTextModel, build_model
from stsearch.weights.card import (
    CHECKSUM,
    MODEL_FILE,
    RECOGNIZER_FILE,
    Card,
    card_checksum,
    checked,
    find_weights,
    read_card,
)

Module = TypeVar("Module", bound=torch.nn.Module)

_RECOGNIZER_PREFIX = "recognizer."


def load_model(name_or_path: str = "tiny", device: str = "auto") -> tuple[SceneTextModel, Card]:
    """Load the joint network, in evaluation mode, float32.

    Raises:
        WeightsError: missing, damaged (checksum) or not of this architecture.
        DeviceError: ``device`` does not exist here.
    """
    folder = find_weights(name_or_path)
    card = read_card(folder)
    model = build_model(card.config)
    _load_strictly(model, _read_all(folder, card), folder)
    return move_to(model.eval(), pick_device(device)), card


def start_from(config: ModelConfig, name_or_path: str) -> tuple[SceneTextModel, list[str]]:
    """Build the network of ``config`` on what it shares with weights.

    A prompt that is frozen there stays frozen: the tower that made it is gone.

    Returns:
        The network, and the names of its parts that the weights do not have: they are random.

    Raises:
        WeightsError: missing or damaged.
        UsageError: a tensor has another shape there.
    """
    folder = find_weights(name_or_path)
    card = read_card(folder)
    there = _read_all(folder, card)
    model = build_model(_freeze_like(config, card.config))
    own = model.state_dict()
    shared = {name: value for name, value in there.items() if name in own}
    unlike = [name for name, value in shared.items() if own[name].shape != value.shape]
    if unlike:
        name = unlike[0]
        raise UsageError(
            f"{folder} has another architecture than {config.name}: {name} is {tuple(there[name].shape)} "
            f"there and {tuple(own[name].shape)} here"
        )
    model.load_state_dict(shared, strict=False)
    return model, _parts_missing(own, shared)


def _freeze_like(config: ModelConfig, there: ModelConfig) -> ModelConfig:
    """Return ``config`` with those prompts frozen whose text tower is gone ``there``."""
    if config.prompts is not None and there.prompts is not None and there.prompts.frozen:
        config = dataclasses.replace(config, prompts=dataclasses.replace(config.prompts, frozen=True))
    if config.close_ups is not None and there.close_ups is not None and there.close_ups.frozen:
        config = dataclasses.replace(config, close_ups=dataclasses.replace(config.close_ups, frozen=True))
    return config


def _parts_missing(own: Iterable[str], shared: Iterable[str]) -> list[str]:
    """Return the largest parts of a network, by name, of which nothing is shared."""
    known = {prefix for name in shared for prefix in _prefixes(name)}
    return sorted({next(p for p in _prefixes(name) if p not in known) for name in set(own) - set(shared)})


def _prefixes(name: str) -> list[str]:
    """Return ``a``, ``a.b``, ``a.b.c`` for ``a.b.c``."""
    return list(itertools.accumulate(name.split("."), "{}.{}".format))


def load_recognizer(name_or_path: str = "tiny", device: str = "auto") -> Recognizer:
    """Load the recognizer alone, in evaluation mode, float32.

    Raises:
        WeightsError, DeviceError: as :func:`load_model` does; WeightsError also where there is none.
    """
    folder = find_weights(name_or_path)
    card = read_card(folder)
    if card.config.recognizer is None:
        raise WeightsError(f"{folder} has no recognizer: train one with stsearch train --stage read")
    recognizer = build_recognizer(card.config.recognizer)
    tensors = _read_tensors(folder / RECOGNIZER_FILE, card.recognizer_sha256, _RECOGNIZER_PREFIX)
    _load_strictly(recognizer, tensors, folder)
    return move_to(recognizer.eval(), pick_device(device))


def save_model(folder: Path, model: SceneTextModel, card: Card) -> Card:
    """Write ``model`` and ``card`` to ``folder``, each file beside and renamed; return the card as written.

    Matrices and kernels are kept in float16, norms and biases in float32.

    Raises:
        WriteError: the disk is full or the folder is not writable.
    """
    tensors = {
        name: (value.half() if value.is_floating_point() and value.ndim > 1 else value).contiguous().cpu()
        for name, value in model.state_dict().items()
    }
    reader = {name: value for name, value in tensors.items() if name.startswith(_RECOGNIZER_PREFIX)}
    rest = {name: value for name, value in tensors.items() if name not in reader}
    count = sum(p.numel() for p in model.parameters())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sha256 = _write_tensors(folder / MODEL_FILE, rest)
        recognizer_sha256 = _write_tensors(folder / RECOGNIZER_FILE, reader) if reader else ""
        same = (sha256, recognizer_sha256) == (card.sha256, card.recognizer_sha256)
        card = dataclasses.replace(
            card,
            config=model.config,
            sha256=sha256,
            recognizer_sha256=recognizer_sha256,
            graphs=card.graphs if same else {},  # they were exported from other tensors
            parameters=count,
        )
        _write_card(folder, card)
    except (OSError, SafetensorError) as error:
        raise WriteError(f"cannot write weights to {folder}: {error}") from error
    return card


def add_graphs(folder: Path, card: Card, files: Sequence[Path]) -> Card:
    """Note in the card of ``folder`` the exported graphs that lie there; return the card as written.

    Raises:
        WriteError: the folder is not writable.
    """
    card = dataclasses.replace(card, graphs={file.name: file_sha256(file) for file in files})
    try:
        _write_card(folder, card)
    except OSError as error:
        raise WriteError(f"cannot write weights to {folder}: {error}") from error
    return card


def _write_card(folder: Path, card: Card) -> None:
    values = to_dict(card)
    values[CHECKSUM] = card_checksum(values)
    part = folder / "card.json.part"
    part.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    part.replace(folder / "card.json")


def _write_tensors(path: Path, tensors: dict[str, Tensor]) -> str:
    part = path.with_name(f"{path.name}.part")
    save_file(tensors, part)
    part.chmod(0o644)  # safetensors writes for the owner alone; weights are for everybody
    digest = file_sha256(part)
    part.replace(path)
    return digest


def pick_device(name: str) -> torch.device:
    """Return the torch device for ``auto``, ``cpu`` or ``cuda[:N]``.

    Raises:
        DeviceError: there is no such device here.
    """
    if name == "auto":
        with warnings.catch_warnings():  # that the driver is too old: then the CPU it is
            warnings.simplefilter("ignore")
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"no device {name!r}; choose auto, cpu or cuda[:N]") from error
    if device.type == "cuda" and (device.index or 0) >= (count := torch.cuda.device_count()):
        raise DeviceError(f"{name}: {_why_there_are_so_few(count)}; or take --device cpu")
    return device


def _why_there_are_so_few(cuda_devices: int) -> str:
    """Return why torch sees so few CUDA devices, and what would help."""
    if cuda_devices:
        return f"{cuda_devices} CUDA device{'s are' if cuda_devices > 1 else ' is'} visible, counted from 0"
    if torch.version.cuda is None:
        return (
            f"PyTorch {torch.__version__} is a build without CUDA: install one with it "
            "(https://pytorch.org/get-started)"
        )
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        torch.cuda.is_available()
    too_old = [str(each.message) for each in told if "driver" in str(each.message)]
    if too_old:
        return (
            f"the NVIDIA driver is too old for PyTorch {torch.__version__} (CUDA {torch.version.cuda}): "
            "update the driver, or install an older build"
        )
    return "0 CUDA devices are visible: see that nvidia-smi lists one, and what CUDA_VISIBLE_DEVICES says"


def move_to(module: Module, device: torch.device) -> Module:
    """Return ``module`` on ``device``.

    Raises:
        DeviceError: it does not fit there, or the device cannot be used.
    """
    try:
        return module.to(device)
    except (RuntimeError, AssertionError) as error:
        known = device_error(error, str(device))
        if known is None:
            raise
        raise known from error


def _read_all(folder: Path, card: Card) -> dict[str, Tensor]:
    tensors = _read_tensors(folder / MODEL_FILE, card.sha256)
    if card.config.recognizer is not None:
        tensors |= _read_tensors(folder / RECOGNIZER_FILE, card.recognizer_sha256)
    return tensors


def _read_tensors(path: Path, sha256: str, prefix: str = "") -> dict[str, Tensor]:
    """Return the tensors whose names start with ``prefix``, that prefix removed, after checking the file."""
    try:
        with safe_open(checked(path, sha256), framework="pt") as file:
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118 - not a dict
            return {name.removeprefix(prefix): file.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise WeightsError(f"{path} is damaged: {error}") from error


def _load_strictly(module: torch.nn.Module, tensors: dict[str, Tensor], folder: Path) -> None:
    try:
        module.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise WeightsError(f"{folder} does not fit this architecture: {error}") from error
