"""Indexing runs that a page starts: one at a time, in a process of its own, so that searching goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from stsearch.errors import GalleryLockedError
from stsearch.objects.url import Location

_MODULE = "stsearch.server.index_process"
_END_S = 5.0  # for a run to end when it is told to


@dataclass(frozen=True, slots=True)
class RunState:
    """How far a run is.

    Attributes:
        gallery: its name; empty: nothing has run yet.
        state: "idle", "running", "done" or "failed".
        done: files that are finished.
        total: files found.
        words: found so far.
        at: the file finished last.
        read: a few words in it.
        message: what went wrong, or else was to be said.
        report: counts of new, changed and removed files of a run that is done.
    """

    gallery: str = ""
    state: str = "idle"
    done: int = 0
    total: int = 0
    words: int = 0
    at: str = ""
    read: tuple[str, ...] = ()
    message: str = ""
    report: Mapping[str, object] | None = None


class IndexRuns:
    """Starts runs, and knows how far the last one is; for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._state = RunState()

    @property
    def state(self) -> RunState:
        """How far the last run is."""
        return self._state

    def facts(self) -> dict[str, object]:
        """Return it for programs."""
        return asdict(self._state)

    def start(self, gallery: str, photos: Location, place: Path, model: str) -> None:
        """Start a run.

        Args:
            gallery: its name.
            photos: the folder of its photographs, or their URL.
            place: the folder it lies in.
            model: weights that made it.

        Raises:
            GalleryLockedError: one that was started here has not ended.
        """
        with self._lock:
            if self._state.state == "running":
                raise GalleryLockedError(f"{self._state.gallery} is being indexed: wait until that is done")
            paths = os.pathsep.join(path for path in sys.path if path)  # it imports what this process would
            command = [sys.executable, "-m", _MODULE, str(photos), os.fspath(place), model]
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="ascii",
                env={**os.environ, "PYTHONPATH": paths},
                start_new_session=True,  # Ctrl-C in the terminal is for the server, which ends it
            )
            self._state = RunState(gallery, "running")
            threading.Thread(target=self._follow, args=(self._process,), daemon=True).start()

    def stop(self) -> None:
        """End a run; what it has finished is kept."""
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _follow(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None  # a pipe
        with process.stdout as lines:
            for line in lines:
                with suppress(ValueError):  # something else that was printed
                    self._state = _after(self._state, json.loads(line))
        code = process.wait()
        if self._state.state == "running":
            message = f"the run was ended (code {code}); what it had finished is kept: start it again"
            self._state = replace(self._state, state="failed", message=message)


def _after(state: RunState, told: Mapping[str, Any]) -> RunState:  # Any: JSON has values of several types
    """Return the state of a run after a line of its process."""
    if "progress" in told:
        now = told["progress"]
        return replace(
            state,
            done=now["done"],
            total=now["total"],
            words=now["words"],
            at=now["at"],
            read=tuple(now["read"]),
        )
    if "note" in told:
        return replace(state, message=told["note"])
    if told["end"]:
        return replace(state, state="failed", message=told["message"])
    return replace(state, state="done", report=told["report"])
