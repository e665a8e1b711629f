"""What torch and the libraries below it raise on a GPU becomes an error with one sentence."""

from __future__ import annotations

import sys

import pytest
import torch

from stsearch.device_errors import device_error, raises_device_errors
from stsearch.errors import DeviceError, OutOfDeviceMemoryError

LOST = "CUDA error: unspecified launch failure\nCUDA kernel errors might be asynchronously reported"


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), id="torch"),
        pytest.param(RuntimeError("CUDA error: out of memory\nCUDA kernel errors"), id="the driver"),
        pytest.param(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling"), id="cuBLAS"),
        pytest.param(RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), id="cuDNN"),
    ],
)
def test_too_little_memory_is_told_by_whoever_ran_out_of_it(error: RuntimeError) -> None:
    known = device_error(error, "cuda:0")
    assert isinstance(known, OutOfDeviceMemoryError)
    assert str(known).startswith("cuda:0 has too little free memory: ")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(LOST, "(CUDA error: unspecified launch failure)", id="a kernel failed"),
        pytest.param("CUDA error: device-side assert triggered", "device-side assert", id="an assertion"),
        pytest.param("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", "EXECUTION_FAILED", id="cuDNN"),
        pytest.param("CUDA error: GPU is lost. ", "(CUDA error: GPU is lost)", id="no longer there"),
    ],
)
def test_a_device_that_is_lost_is_told_in_one_line(text: str, reason: str) -> None:
    known = device_error(RuntimeError(text), "cuda:0")
    assert type(known) is DeviceError
    assert reason in str(known)
    assert "\n" not in str(known)
    assert "What was finished is kept" in str(known)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: no kernel image is available for execution on the device\nCUDA kernel"),
        AssertionError("Torch not compiled with CUDA enabled"),
    ],
)
def test_the_wrong_build_of_torch_is_told_how_to_get_the_right_one(error: Exception) -> None:
    known = device_error(error, "cuda:0")
    assert type(known) is DeviceError
    assert "install the build for this GPU" in str(known)


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("CUDA error"), AssertionError()])
def test_an_error_of_ours_stays_what_it_is(error: Exception) -> None:
    assert device_error(error, "cuda:0") is None


class Computer:
    """Computes on a device that raises what it is told to."""

    device = "cuda:0"

    @raises_device_errors
    def compute(self, error: Exception) -> None:
        raise error


def test_a_method_gives_the_memory_of_a_full_device_back(monkeypatch: pytest.MonkeyPatch) -> None:
    freed = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: freed.append(sys.exc_info()[0]))
    with pytest.raises(OutOfDeviceMemoryError) as raised:
        Computer().compute(torch.OutOfMemoryError("CUDA out of memory"))
    assert freed == [None]  # torch's error, whose traceback holds tensors, was gone
    assert raised.value.__context__ is None


def test_a_method_asks_nothing_more_of_a_device_that_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: pytest.fail("a lost device raises again"))
    with pytest.raises(DeviceError, match="unspecified launch failure"):
        Computer().compute(RuntimeError(LOST))


def test_a_method_raises_other_errors_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="shapes differ"):
        Computer().compute(RuntimeError("shapes differ"))
