"""memory.py: too little memory is told before it ends the process, and by what libraries say of it."""

from __future__ import annotations

import errno
import resource
from pathlib import Path

import pytest

from stsearch.errors import DeviceError
from stsearch.memory import check_address_space, check_free_memory, free_memory, is_out_of_memory


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("Exception from src/plugins/intel_cpu/src/node.cpp:823:\n[CPU] Transpose can't alloc"),
        RuntimeError("Exception from src/inference/src/dev/plugin.cpp:59:\nstd::bad_alloc"),
        RuntimeError("Check failed at cpu_memory.cpp:257:\nFailed to allocate 14745600 bytes of memory"),
        RuntimeError("[CPU] Transpose node with name '/Cast_original' std::future_error: Broken promise"),
        RuntimeError('Cannot load library "libopenvino.so": failed to map segment from shared object'),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 64 bytes."),
        RuntimeError("dnnl error: out_of_memory"),
        RuntimeError("can't start new thread"),
    ],
    ids=lambda error: str(error)[-30:],
)
def test_what_libraries_say_where_memory_fails_is_understood(error: Exception) -> None:
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error", [ValueError("0 pixels"), OSError(errno.EIO, "Input/output error"), RuntimeError("bad shape")]
)
def test_other_errors_are_not_taken_for_it(error: Exception) -> None:
    assert not is_out_of_memory(error)


def test_a_limit_of_addresses_below_what_is_needed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (400_000_000, resource.RLIM_INFINITY))
    check_address_space(400_000_000)
    with pytest.raises(DeviceError, match=r"only 400 MB .* takes 600: .*ulimit -v unlimited"):
        check_address_space(600_000_000)


def test_without_a_limit_of_addresses_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    check_address_space(1 << 60)


@pytest.fixture
def computer(tmp_path: Path) -> tuple[Path, Path]:
    """Return what the kernel tells of a computer with 3 MB to take, and of a container with 1 MB."""
    proc, groups = tmp_path / "proc", tmp_path / "groups"
    (proc / "self").mkdir(parents=True)
    (groups / "shop" / "bakery").mkdir(parents=True)
    (proc / "meminfo").write_text("MemTotal: 9999 kB\nMemAvailable: 2000 kB\nSwapFree: 1000 kB\n")
    (proc / "self" / "cgroup").write_text("0::/shop/bakery\n")
    (groups / "shop" / "memory.max").write_text("3000000\n")
    (groups / "shop" / "memory.current").write_text("2500000\n")
    (groups / "shop" / "memory.stat").write_text("anon 2000000\ninactive_file 400000\nactive_file 100000\n")
    (groups / "shop" / "bakery" / "memory.max").write_text("max\n")
    (groups / "shop" / "bakery" / "memory.current").write_text("2500000\n")
    return proc, groups


def test_a_container_has_what_its_groups_leave_it(computer: tuple[Path, Path]) -> None:
    assert free_memory(*computer) == 1_000_000


def test_outside_a_container_there_is_what_the_computer_has_left(computer: tuple[Path, Path]) -> None:
    proc, _ = computer
    assert free_memory(proc, proc / "none") == 1024 * 3000


def test_where_the_kernel_does_not_say_nothing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert free_memory(tmp_path, tmp_path) is None
    monkeypatch.setattr("stsearch.memory.free_memory", lambda: None)
    check_free_memory(1 << 60)


def test_too_little_free_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stsearch.memory.free_memory", lambda: 100_000_000)
    with pytest.raises(DeviceError, match=r"^100 MB of memory are free, and this takes 450"):
        check_free_memory(450_000_000)
