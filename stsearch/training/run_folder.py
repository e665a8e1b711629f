"""The folder of a training run: a log, and checkpoints whose cards hold the history of their training."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stsearch.dataclass_io import to_dict
from stsearch.errors import WriteError
from stsearch.training.checkpoint import replacing_folder, write_state
from stsearch.training.run_clock import RunClock
from stsearch.training.stage import StageInProgress
from stsearch.weights.card import Card, find_weights, read_card
from stsearch.weights.io import save_model


def start_card(card: Card, resumed: Path | None, init: Path | None) -> tuple[Card, float]:
    """Return ``card`` with the training history of the weights it starts from, and their minutes so far.

    Args:
        card: Of this run, with its data.
        resumed: The checkpoint to resume.
        init: The weights to start from.
    """
    source = resumed if resumed is not None else find_weights(str(init)) if init is not None else None
    if source is None:
        return card, 0.0
    before = read_card(source)
    stages = before.training.get("stages", {})
    history = before.training.get("history", [])
    if resumed is None:  # a stage trained again would hide what it had before
        history = [*history, {name: stage["done"] for name, stage in stages.items()}]
    told = {"stages": stages, "history": history, "clip": before.training.get("clip", "")}
    minutes = float(before.training.get("minutes", 0.0))
    return dataclasses.replace(card, training=card.training | told), minutes


class RunFolder:
    """The folder of a run: last/, best/, log.jsonl."""

    def __init__(self, out: Path, card: Card, earlier_minutes: float, clock: RunClock) -> None:
        self.out, self.card = out, card
        self._earlier_minutes, self._clock = earlier_minutes, clock
        self.saved = time.monotonic()

    def open(self, options: object) -> None:
        """Make the folder and begin its log, or append to it.

        Raises:
            WriteError: nothing can be written there.
        """
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            self.log({"event": "start", "options": {k: str(v) for k, v in vars(options).items()}})
        except OSError as error:
            raise WriteError(f"cannot write to {self.out}: {error}") from error

    def log(self, row: Mapping[str, Any]) -> None:  # Any: JSON
        """Add a line to log.jsonl."""
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def write(
        self,
        name: str,
        running: StageInProgress,
        done: int,
        metrics: Mapping[str, Any] | None = None,  # Any: JSON
        progress: Mapping[str, Any] | None = None,  # Any: JSON
    ) -> None:
        """Write the checkpoint ``name``; whatever ends the process, the one before or this one is whole.

        Args:
            name: last or best.
            running: its averaged weights are written.
            done: steps of its stage, for the card.
            metrics: new figures for the card.
            progress: of the run; with it goes what resuming needs.

        Raises:
            WriteError: the disk is full, or the folder may not be written to.
        """
        stage = running.config
        stages = self.card.training.get("stages", {}) | {stage.name: to_dict(stage) | {"done": done}}
        minutes = round(self._earlier_minutes + self._clock.elapsed_s() / 60, 1)
        training = self.card.training | {"stages": stages, "minutes": minutes}
        told = self.card.metrics | dict(metrics or {})
        card = dataclasses.replace(self.card, training=training, metrics=told)
        with replacing_folder(self.out / name) as folder:
            with running.averaged():
                self.card = save_model(folder, running.model, card)
            if progress is not None:
                write_state(folder, {**progress, **running.state()})
                self.saved = time.monotonic()
