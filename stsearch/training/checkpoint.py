"""A checkpoint on disk: a folder replaced as a whole, so that a kill leaves the old one or the new."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from stsearch.errors import DataError, WriteError
from stsearch.gallery.atomic_files import sync

STATE_FILE = "optimizer.pt"
_FIELDS = ("stage", "done", "best", "model", "average", "optimizer")


@contextmanager
def replacing_folder(place: Path) -> Iterator[Path]:
    """Yield an empty folder to write to; afterwards it stands in ``place``, durably, or nothing changes.

    No call of the system exchanges two folders everywhere: one goes aside, the other comes. What a kill
    leaves between the two, :func:`finish_replacing` puts right.

    Raises:
        WriteError: it cannot be written.
    """
    new, old = _beside(place)
    try:
        finish_replacing(place)
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)
        new.mkdir(parents=True)
        yield new
        for path in (*new.iterdir(), new):
            sync(path)
        if place.exists():
            place.rename(old)
        new.rename(place)
        sync(place.parent)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise WriteError(f"cannot write {place}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(new, ignore_errors=True)


def finish_replacing(place: Path) -> None:
    """Finish what a kill left half done: where the old folder is aside, the new one is whole."""
    new, old = _beside(place)
    if old.is_dir() and not place.exists():
        (new if new.is_dir() else old).rename(place)


def _beside(place: Path) -> tuple[Path, Path]:
    """Return the folders that take the place of ``place``, and that it goes to."""
    return place.with_name(f".{place.name}.new"), place.with_name(f".{place.name}.old")


def write_state(folder: Path, state: Mapping[str, Any]) -> None:  # Any: tensors and numbers
    """Write to ``folder`` what resuming needs beside the weights.

    Raises:
        WriteError: the disk is full, or the folder may not be written to.
    """
    path = folder / STATE_FILE
    try:
        torch.save(dict(state), path)
    except (OSError, RuntimeError) as error:
        raise WriteError(f"cannot write {path}: {error}") from error


def read_state(folder: Path) -> dict[str, Any]:  # Any: as above
    """Return the state that :func:`write_state` wrote, on the CPU.

    Raises:
        DataError: it is missing or damaged; the message says how to go on without it.
    """
    path = folder / STATE_FILE
    way_out = f"this run cannot be resumed; start a new one with --init {folder}"
    if not path.is_file():
        raise DataError(f"{path} is missing: {way_out}")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        missing = [name for name in _FIELDS if name not in state]
    except Exception as error:
        raise DataError(f"{path} is damaged ({type(error).__name__}): {way_out}") from error
    if missing:
        raise DataError(f"{path} is damaged (it has no {', '.join(missing)}): {way_out}")
    return state
