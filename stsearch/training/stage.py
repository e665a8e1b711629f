"""A training stage in progress: model, optimizer and the moving average of the weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch

from stsearch.config import StageConfig
from stsearch.engines.torch_engine import attention_for_training
from stsearch.errors import TrainingError
from stsearch.models.scene_text import SceneTextModel
from stsearch.training.batches import Batch
from stsearch.training.crops import CropBatch
from stsearch.training.objective import total_loss
from stsearch.training.schedule import (
    MovingAverage,
    learning_rate,
    measure_norms,
    parameter_groups,
    set_training_mode,
)


class StageInProgress:
    """One stage of training: optimizer and moving average, from its first step or from a checkpoint."""

    def __init__(self, model: SceneTextModel, config: StageConfig, seed: int) -> None:
        self.model, self.config, self._seed = model, config, seed
        self._device = next(model.parameters()).device
        self._optimizer = torch.optim.AdamW(
            parameter_groups(model, config), lr=config.learning_rate, betas=(0.9, 0.98)
        )
        self._average = MovingAverage(model, config.ema_decay)

    def begin_training(self) -> None:
        """Set what the stage trains to training mode, batch normalisation frozen where the stage says so."""
        set_training_mode(self.model, self.config)

    def measure_norms(self, batches: Iterable[Batch]) -> None:
        """Measure the statistics of batch normalisation; the average starts again from this state."""
        with torch.autocast(self._device.type, dtype=torch.bfloat16):
            measure_norms(self.model, batches)
        self._average = MovingAverage(self.model, self.config.ema_decay)

    def take_step(self, batch: Batch | CropBatch, step: int, share: float) -> dict[str, float]:
        """Train on ``batch``, move the average, and return the terms of the loss; none without a word.

        Args:
            batch: on the model's device.
            step: its number in the stage, from 0.
            share: of the stage that is over after it, in [0, 1]; the learning rate follows it.

        Raises:
            TrainingError: the loss is no longer finite.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = group["rate"] * learning_rate(self.config, share, step)
        losses = self._minimise(batch, step)
        self._average.update(self.model, step)
        return losses

    def _minimise(self, batch: Batch | CropBatch, step: int) -> dict[str, float]:
        random = np.random.default_rng([self._seed, step])
        with (
            torch.autocast(self._device.type, dtype=torch.bfloat16),
            attention_for_training(self._device),
        ):
            losses = total_loss(self.model, batch, self.config, random)
        if not losses:  # no word in the batch, and every term needs one
            return {}
        total = torch.stack([value.float() for value in losses.values()]).sum()
        values = dict(
            zip(losses, torch.stack([v.detach().float() for v in losses.values()]).tolist(), strict=True)
        )
        if not all(map(math.isfinite, values.values())):
            raise TrainingError(
                f"stage {self.config.name}, batch {step}: the loss is not finite ({values}). "
                "The last checkpoint is intact; lower learning_rate, or look at the data of that batch"
            )
        self._optimizer.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        self._optimizer.step()
        return values

    def averaged(self) -> AbstractContextManager[None]:
        """Load the averaged weights into the model inside a ``with`` block."""
        return self._average.applied(self.model)

    def finish(self) -> None:
        """Load the averaged weights into the model for good."""
        self.model.load_state_dict(self._average.state)

    def state(self) -> dict[str, Any]:  # Any: tensors and numbers
        """Return the state that :meth:`restore` resumes from."""
        return {
            "stage": self.config.name,
            "model": self.model.state_dict(),
            "average": self._average.state,
            "optimizer": self._optimizer.state_dict(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:  # Any: as above
        """Resume from a ``state`` on the CPU; that of another stage changes nothing.

        The numbers of steps stay there: on a GPU the optimizer would wait for each of them, every step.
        """
        if state["stage"] == self.config.name:
            self.model.load_state_dict(state["model"])
            self._optimizer.load_state_dict(state["optimizer"])
            self._average.state = {name: value.to(self._device) for name, value in state["average"].items()}
