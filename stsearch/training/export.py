"""Exporting weights: the graphs that CPUs run, in 8 bits, written beside the tensors they were made from."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stsearch.engines.export import export_graphs, halve_constants
from stsearch.engines.graph_engine import GraphSceneEngine
from stsearch.engines.graphs import CROPS, DECODER, SCENE, Feed, Graph, OnnxGraph
from stsearch.engines.quantization import quantize_graph
from stsearch.images import decode_image
from stsearch.spotting.spotter import Spotter
from stsearch.weights.card import Card, find_weights
from stsearch.weights.io import add_graphs, load_model

_QUANTIZED = (SCENE, CROPS, DECODER)
"""The others are small. With the embedder in 8 bits mAP was 0.1 to 0.2 lower (validation)."""
_FEEDS = 48  # inputs of a graph on which the ranges of its activations are measured


class _Recorder:
    """A graph that keeps some of its inputs."""

    def __init__(self, graph: Graph, feeds: list[Feed], every: int) -> None:
        self._graph, self._feeds, self._every, self._calls = graph, feeds, every, 0

    def run(self, feed: Feed) -> list[NDArray[np.float32]]:
        if self._calls % self._every == 0:
            self._feeds.append({name: value.copy() for name, value in feed.items()})
        self._calls += 1
        return self._graph.run(feed)


def export(name_or_path: str, photos: Sequence[Path]) -> Card:
    """Export weights to graphs in 8 bits, and note them in their card.

    Args:
        name_or_path: of the weights.
        photos: typical photographs with words, on which activations are measured; some dozen, and none that
            the weights are judged by.

    Returns:
        The card, as written.

    Raises:
        WeightsError: the weights are missing or damaged.
        UsageError: they have a part that no graph is made of.
        WriteError: the folder is not writable.
    """
    folder = find_weights(name_or_path)
    model, card = load_model(str(folder), "cpu")
    with tempfile.TemporaryDirectory() as beside:
        files = export_graphs(model, Path(beside))
        feeds = _record(card, Path(beside), photos)
        for file in files:
            quantized = file
            inputs = feeds[file.name]
            if file.name in _QUANTIZED and inputs:
                quantized = file.with_suffix(".quantized")
                quantize_graph(file, inputs[:: -(-len(inputs) // _FEEDS)], quantized)
            halve_constants(quantized, folder / file.name)
    return add_graphs(folder, card, [folder / file.name for file in files])


def _record(card: Card, folder: Path, photos: Sequence[Path]) -> dict[str, list[Feed]]:
    """Return inputs of each graph in ``folder`` while ``photos`` are read."""
    feeds: dict[str, list[Feed]] = defaultdict(list)
    every = {DECODER: 7}

    def open_graph(name: str, callers: int) -> Graph:
        return _Recorder(OnnxGraph(folder / name, callers, 1), feeds[name], every.get(name, 1))

    spotter = Spotter(GraphSceneEngine(card.config, open_graph, "float32"), card.info)
    for photo in photos:
        spotter.spot([decode_image(photo, spotter.decode_side).image])
    return feeds
