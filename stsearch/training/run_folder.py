"""The folder of a training run: a log, and checkpoints whose cards hold the history of their training."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from stsearch.config import StageConfig
from stsearch.dataclass_io import to_dict
from stsearch.errors import DataError, WriteError
from stsearch.models.scene_text import SceneTextModel
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

    def __init__(self, out: Path, card: Card, earlier_minutes: float) -> None:
        self.out, self.card = out, card
        self._earlier_minutes = earlier_minutes
        self.started = time.monotonic()
        self.saved = self.started

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

    def minutes(self) -> float:
        """Return how long this run has taken."""
        return (time.monotonic() - self.started) / 60

    def log(self, row: Mapping[str, Any]) -> None:  # Any: JSON
        """Add a line to log.jsonl."""
        with (self.out / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def write(
        self,
        name: str,
        model: SceneTextModel,
        stage: StageConfig,
        done: int,
        metrics: Mapping[str, Any] | None = None,  # Any: JSON
    ) -> None:
        """Write ``model`` with a card that records ``done`` steps of ``stage``, and new figures."""
        stages = self.card.training.get("stages", {}) | {stage.name: to_dict(stage) | {"done": done}}
        minutes = round(self._earlier_minutes + self.minutes(), 1)
        training = self.card.training | {"stages": stages, "minutes": minutes}
        told = self.card.metrics | dict(metrics or {})
        card = dataclasses.replace(self.card, training=training, metrics=told)
        self.card = save_model(self.out / name, model, card)

    def save_state(self, state: Mapping[str, Any]) -> None:  # Any: tensors and numbers
        """Write the state that resuming needs into last/."""
        self.saved = time.monotonic()
        part = self.out / "last" / "optimizer.pt.part"
        try:
            torch.save(dict(state), part)
            part.replace(part.with_suffix(""))
        except (OSError, RuntimeError) as error:
            raise WriteError(f"cannot write {part}: {error}") from error

    def load_state(self, device: torch.device) -> dict[str, Any]:  # Any: as above
        """Return the state that :meth:`save_state` wrote.

        Raises:
            DataError: it is gone.
        """
        path = self.out / "last" / "optimizer.pt"
        if not path.is_file():
            raise DataError(
                f"{path} is missing: this run cannot be resumed; start a new one with --init {path.parent}"
            )
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        return state
