"""Which device a name means, without importing torch where the answer is the CPU."""

from __future__ import annotations

import ctypes.util
import sys
from pathlib import Path

_DRIVERS = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg")  # dxg: the GPU of the Windows around a WSL


def find_device(name: str) -> str:
    """Return ``cpu`` or ``cuda[:N]`` for ``auto``, ``cpu`` or ``cuda[:N]``.

    Raises:
        DeviceError: there is no such device here.
    """
    if name == "cpu" or (name == "auto" and not _may_have_cuda()):
        return "cpu"
    from stsearch.weights.io import pick_device

    return str(pick_device(name))


def _may_have_cuda() -> bool:
    """Return whether a driver of NVIDIA is installed: then torch is asked, which takes seconds to import."""
    if sys.platform == "win32":
        return ctypes.util.find_library("nvcuda") is not None
    return any(Path(driver).exists() for driver in _DRIVERS)
