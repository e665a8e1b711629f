"""``stsearch`` as a program that needs no weights, for tests of several processes on one gallery.

Its environment says what else it does: PAUSE, the photograph at which it stops, and says so; SECONDS, how
long it takes for one; SEEN, a file that gets a line for each; LEASE_S and CLAIM, of a process that indexes.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace

from gallery_fixtures import MODEL, ColourSpotter
from program import ROOT

from stsearch.types import Image, TextInstance


class SlowSpotter(ColourSpotter):
    """A spotter that stops, or takes its time, as the environment says."""

    calls = itertools.count(1)  # next() is one step, whatever threads do

    def spot(self, images: Sequence[Image]) -> list[list[TextInstance]]:
        for _ in images:
            if next(self.calls) == int(os.environ.get("PAUSE", 0)):
                sys.stdout.write("paused\n")
                sys.stdout.flush()
                time.sleep(60)
            time.sleep(float(os.environ.get("SECONDS", 0)))
            if seen := os.environ.get("SEEN"):
                with Path(seen).open("a") as log:
                    log.write("1\n")
        return super().spot(images)


Process = subprocess.Popen[str]


def start(*arguments: str | Path, **environment: object) -> Process:
    """Start the program; return at once."""
    path = [os.environ.get("PYTHONPATH", ""), str(ROOT), str(ROOT / "tests" / "support")]
    return subprocess.Popen(
        [sys.executable, __file__, *map(str, arguments)],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, path)),
            **{name: str(value) for name, value in environment.items()},
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until_paused(process: Process) -> None:
    """Wait until the program has come to the photograph of PAUSE."""
    assert process.stdout is not None
    assert process.stdout.readline() == "paused\n"


def main() -> None:
    """Run the program."""
    from stsearch.cli import app
    from stsearch.gallery.postgres import worker
    from stsearch.weights import card

    worker.LEASE_S = float(os.environ.get("LEASE_S", worker.LEASE_S))
    worker.CLAIM = int(os.environ.get("CLAIM", worker.CLAIM))
    weights = ModuleType("stsearch.spotting.load")
    weights.load_spotter = lambda *_: SlowSpotter()  # type: ignore[attr-defined]  # a stand-in for the module
    sys.modules["stsearch.spotting.load"] = weights
    card.check_weights = lambda _: SimpleNamespace(info=MODEL)  # type: ignore[assignment,return-value]  # likewise
    app.main()


if __name__ == "__main__":
    main()
