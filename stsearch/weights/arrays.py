"""Tensors of weights as numpy arrays, for what must not import torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from stsearch.errors import WeightsError
from stsearch.weights.card import checked


def read_arrays(path: Path, sha256: str, prefix: str = "") -> dict[str, NDArray[np.floating]]:
    """Return the tensors whose names start with ``prefix``, that prefix removed, after checking the file.

    Raises:
        WeightsError: the file is missing or damaged.
    """
    try:
        with safe_open(checked(path, sha256), framework="np") as file:
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118 - not a dict
            return {name.removeprefix(prefix): file.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise WeightsError(f"{path} is damaged: {error}") from error
