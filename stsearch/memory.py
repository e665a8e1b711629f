"""The memory of this computer: whether there is enough to begin, and what libraries say when there was not.

Libraries in C++ end the process where memory fails in the wrong place, so what is bound to fail is refused
before it begins. Of the rest each says something else.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from pathlib import Path

from stsearch.errors import DeviceError

_OUT_OF_MEMORY = re.compile(
    r"bad.?alloc|can('|no)t alloc|failed to alloc|(out.of|not enough|insufficient).memory"
    r"|failed to map segment|can't start new thread"
    r"|broken promise",  # OpenVINO, after memory failed in a thread of its own
    re.IGNORECASE,
)
_PROC = Path("/proc")  # of Linux; elsewhere nothing is known of free memory
_GROUPS = Path("/sys/fs/cgroup")


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether there was too little memory; libraries in C++ say so in the text of an error."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(str(error)) is not None


def check_address_space(needed: int) -> None:
    """Refuse to begin what takes ``needed`` bytes of addresses, where the process may have only fewer.

    Raises:
        DeviceError: the limit is lower; the message says how to lift it.
    """
    try:
        import resource
    except ModuleNotFoundError:  # there is no such limit
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < needed:
        raise DeviceError(
            f"this process may use only {limit / 1e6:,.0f} MB of addresses, and this takes"
            f" {needed / 1e6:,.0f}: lift the limit, as with ulimit -v unlimited"
        )


def check_free_memory(needed: int) -> None:
    """Refuse to begin what takes ``needed`` bytes of memory, where fewer are free.

    Raises:
        DeviceError: there are fewer.
    """
    free = free_memory()
    if free is not None and free < needed:
        raise DeviceError(
            f"{free / 1e6:,.0f} MB of memory are free, and this takes {needed / 1e6:,.0f}: close other"
            " programs, or raise the limit of the container"
        )


def free_memory(proc: Path = _PROC, groups: Path = _GROUPS) -> int | None:
    """Return how many bytes this process can take before the kernel ends one; None: it does not say.

    Args:
        proc: the folder in which the kernel tells of memory and of this process.
        groups: the folder of the control groups, which limit containers.
    """
    left = [room for room in (_free_of_computer(proc), *_free_of_groups(proc, groups)) if room is not None]
    return min(left, default=None)


def _free_of_computer(proc: Path) -> int | None:
    free = {name: int(value.split()[0]) for name, value in _pairs(proc / "meminfo", ":")}
    if "MemAvailable" not in free:
        return None
    return 1024 * (free["MemAvailable"] + free.get("SwapFree", 0))


def _free_of_groups(proc: Path, groups: Path) -> Iterator[int]:
    """Yield what is left to each control group (version 2) that this process is in."""
    own = next((path for number, path in _pairs(proc / "self" / "cgroup", "::") if number == "0"), None)
    place = groups / (own or "/").lstrip("/")
    for folder in (place, *place.parents):
        if not folder.is_relative_to(groups):
            return
        limit, used = _number(folder / "memory.max"), _number(folder / "memory.current")
        if limit is not None and used is not None:
            kept = dict(_pairs(folder / "memory.stat", " "))  # of files that were read, and can be dropped
            yield limit - used + int(kept.get("inactive_file", 0)) + int(kept.get("active_file", 0))


def _pairs(path: Path, separator: str) -> list[tuple[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return []
    return [
        (name, value.strip()) for name, found, value in (line.partition(separator) for line in lines) if found
    ]


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # "max": there is no limit
        return None
