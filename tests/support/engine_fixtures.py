"""A small network with a recognizer, and its exported graphs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from stsearch.config import CloseUpConfig, ModelConfig, RecognizerConfig
from stsearch.engines.export import export_graphs
from stsearch.engines.graphs import Graph, OnnxGraph, OpenVinoGraph
from stsearch.models.scene_text import SceneTextModel, build_model

RUNTIMES: dict[str, Callable[[Path, int, int], Graph]] = {"openvino": OpenVinoGraph, "onnx": OnnxGraph}


def build_lively_model(config: ModelConfig, recognizer: RecognizerConfig) -> SceneTextModel:
    """Return a random network whose norms do something, as trained ones do, and that reads."""
    torch.manual_seed(2)
    reader = dataclasses.replace(recognizer, cross_modal=False, character_lm=16)
    close_ups = CloseUpConfig(frozen=True, hidden=8, dim=8)
    model = build_model(dataclasses.replace(config, recognizer=reader, close_ups=close_ups)).eval()
    assert model.close_up_map is not None
    nn.init.normal_(model.close_up_map.prompt.get_buffer("embedding"))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.3, 0.3)
    return model


class ExportedGraphs:
    """Opens graphs in float32, as often as it is asked to."""

    def __init__(self, model: SceneTextModel, folder: Path, runtime: str) -> None:
        export_graphs(model, folder)
        self._folder, self._runtime = folder, RUNTIMES[runtime]

    def __call__(self, name: str, callers: int) -> Graph:
        return self._runtime(self._folder / name, callers, 1)
