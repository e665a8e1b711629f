"""What a GPU library raises, as an error with one sentence: no memory left, or a device that fails.

torch tells the two apart by class only since 2.8, and cuBLAS and cuDNN only in the text of a RuntimeError. So
errors are told by the names of their classes and by their text; torch itself is not imported.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from stsearch.errors import DeviceError, OutOfDeviceMemoryError

P = ParamSpec("P")
R = TypeVar("R")

_NO_MEMORY = re.compile(r"CUDA(?: error)?:? out of memory|CU(?:DNN|BLAS|BLASLT|SOLVER)_STATUS_ALLOC_FAILED")
_FAILED = re.compile(
    r"CUDA error|CUDA driver|cuDNN error|CU(?:DNN|BLAS|BLASLT|SOLVER|FFT)_STATUS_|NVIDIA driver|No CUDA GPUs"
)
_WRONG_BUILD = re.compile(r"no kernel image|not compiled with CUDA|PTX was compiled|invalid device function")


class OnDevice(Protocol):
    """What computes on a device."""

    device: str


S = TypeVar("S", bound=OnDevice)


def device_error(error: BaseException, device: str) -> DeviceError | None:
    """Return the error of stsearch that ``error`` amounts to; None: it says nothing of a device.

    Args:
        error: what torch, or a library below it, raised.
        device: where it was computing.
    """
    if not isinstance(
        error, RuntimeError | AssertionError
    ):  # which torch raises, or classes derived from them
        return None
    kind, text = type(error).__name__, str(error)
    if kind == "OutOfMemoryError" or _NO_MEMORY.search(text):
        return OutOfDeviceMemoryError(
            f"{device} has too little free memory: stop what else uses it, take a smaller --batch, "
            "or take --device cpu"
        )
    if kind != "AcceleratorError" and not _FAILED.search(text) and not _WRONG_BUILD.search(text):
        return None
    reason = _reason(text)
    if _WRONG_BUILD.search(text):
        return DeviceError(
            f"{device} cannot be used by the PyTorch that is installed ({reason}): install the build for "
            "this GPU and its driver (https://pytorch.org/get-started), or take --device cpu"
        )
    return DeviceError(
        f"{device} failed ({reason}). What was finished is kept: run the command again, and where that "
        "fails too, see what nvidia-smi says, or take --device cpu"
    )


def _reason(text: str) -> str:
    """Return the first line of ``text``: what follows is advice for those who write kernels."""
    first = (text.strip().splitlines() or ["no reason given"])[0]
    return first.rstrip(" .")


def raises_device_errors(
    method: Callable[Concatenate[S, P], R],
) -> Callable[Concatenate[S, P], R]:
    """Make a method that computes on ``self.device`` raise DeviceError and OutOfDeviceMemoryError.

    Its frames, which hold tensors, are gone when the memory of a full device is given back, and when the
    error arrives.
    """

    @functools.wraps(method)
    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except (RuntimeError, AssertionError) as raised:
            error = device_error(raised, self.device)
            if error is None:
                raise
        if isinstance(error, OutOfDeviceMemoryError):
            free_cached_memory()
        raise error

    return call


def free_cached_memory() -> None:
    """Give the device memory back that torch keeps for tensors to come, if torch is in use."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.cuda.empty_cache()
