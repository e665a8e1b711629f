"""Learning rate, moving average of the weights, and batch normalisation along a training run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from stsearch.config import ModelConfig, StageConfig
from stsearch.errors import UsageError
from stsearch.models.scene_text import SceneTextModel
from stsearch.training.batches import Batch


class MovingAverage:
    """Exponential moving average of a model's state, warmed up so that early steps decay fast."""

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
        """Load the averaged state into ``model`` inside a ``with`` block."""
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


def parameter_groups(model: SceneTextModel, stage: StageConfig) -> list[dict[str, Any]]:  # Any: torch's own
    """Group parameters by ``rate``, a factor of the learning rate, and by weight decay.

    Parameters of rate 0 are frozen and in no group.

    Raises:
        UsageError: the model has not the part that the stage trains.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        left_out = not name.startswith(stage.part) or _is_frozen(name, model.config)
        rate = 0.0 if left_out else _rate(name, stage)
        parameter.requires_grad_(rate > 0)
        if rate > 0:
            decay = stage.weight_decay if parameter.ndim > 1 else 0.0
            groups.setdefault((rate, decay), []).append(parameter)
    if not groups:
        raise UsageError(f"model {model.config.name} has no {stage.part} to train in stage {stage.name}")
    return [
        {"params": members, "weight_decay": decay, "rate": rate} for (rate, decay), members in groups.items()
    ]


def _rate(name: str, stage: StageConfig) -> float:
    if name.startswith(("backbone.", "recognizer.image.")):
        return stage.backbone_rate
    return stage.text_rate if name.startswith(("matcher.prompt.encoder.", "recognizer.cross.text.")) else 1.0


def _is_frozen(name: str, config: ModelConfig) -> bool:
    """Return whether a parameter is of the frozen layers of the text tower (CLIP4STR, section 3.4)."""
    count = config.recognizer.frozen_text_layers if config.recognizer is not None else 0
    tower = "recognizer.cross.text.tower."
    layers = tuple(f"{tower}transformer.resblocks.{layer}." for layer in range(count))
    embeddings = (f"{tower}token_embedding.", f"{tower}positional_embedding")
    return count > 0 and name.startswith((*layers, *embeddings))


def find_batch_norms(model: SceneTextModel) -> list[nn.BatchNorm2d]:
    """Return the batch normalisations of ``model``."""
    return [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]


def set_training_mode(model: SceneTextModel, stage: StageConfig) -> None:
    """Set ``model``, or the part that ``stage`` trains, to training; frozen norms use their statistics."""
    model.eval()
    model.get_submodule(stage.part).train()
    if stage.freeze_norms:
        for norm in find_batch_norms(model):
            norm.eval()


@torch.no_grad()
def measure_norms(model: SceneTextModel, batches: Iterable[Batch]) -> None:
    """Replace the running statistics of batch normalisation by plain means over ``batches``.

    Source: "precise batch normalisation", Wu and Johnson, Rethinking "Batch" in BatchNorm (2021), section 3.
    """
    model.train()
    momenta = {norm: norm.momentum for norm in find_batch_norms(model)}
    for norm in momenta:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative
    for batch in batches:
        levels = model.features(batch.images).levels
        maps = model.detect(levels)
        if model.close_up_map is not None:
            model.map_close_ups(levels, maps)
        if batch.words:
            model.read_regions(levels, batch.edges, batch.owner)
    for norm, momentum in momenta.items():
        norm.momentum = momentum
