"""What changes along a training run: the learning rate, and the moving average of the weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from stsearch.config import StageConfig
from stsearch.models.scene_text import SceneTextModel


class MovingAverage:
    """Exponential moving average of a model's state, warmed up so that early steps do not linger."""

    def __init__(self, model: SceneTextModel, decay: float) -> None:
        self.decay = decay
        self.state = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: SceneTextModel, step: int) -> None:
        """Move the average towards ``model`` after ``step`` steps."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                self.state[name].lerp_(value.detach(), 1 - decay)
            else:
                self.state[name].copy_(value)

    @contextmanager
    def applied(self, model: SceneTextModel) -> Iterator[None]:
        """Let ``model`` hold the averaged state for a while."""
        own = {name: value.detach().clone() for name, value in model.state_dict().items()}
        model.load_state_dict(self.state)
        try:
            yield
        finally:
            model.load_state_dict(own)


def learning_rate(stage: StageConfig, share: float, step: int) -> float:
    """Return the rate after ``share`` of the stage: linear warm-up over steps, then a cosine to 2 %."""
    warm = min(1.0, (step + 1) / max(stage.warmup_steps, 1))
    return stage.learning_rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(share, 1.0))))
