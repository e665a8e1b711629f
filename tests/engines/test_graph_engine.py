"""Exported graphs, run by either library, compute what the torch engine does."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from engine_fixtures import RUNTIMES, ExportedGraphs, build_lively_model
from numpy.typing import NDArray

from stsearch.config import ModelConfig, RecognizerConfig
from stsearch.engines.contract import SceneEngine
from stsearch.engines.graph_engine import GraphSceneEngine
from stsearch.engines.torch_engine import TorchSceneEngine
from stsearch.models.scene_text import SceneTextModel
from stsearch.types import Scene

TOLERANCE = 2e-3  # of float32 outputs, in their own units; torch may compute in bfloat16


@pytest.fixture(scope="module")
def model(micro_config: ModelConfig, micro_recognizer_config: RecognizerConfig) -> SceneTextModel:
    return build_lively_model(micro_config, micro_recognizer_config)


@pytest.fixture
def torch_engine(model: SceneTextModel, monkeypatch: pytest.MonkeyPatch) -> SceneEngine:
    import torch

    monkeypatch.setattr("stsearch.engines.torch_engine.fast_dtype", lambda _: torch.float32)
    return TorchSceneEngine(model)


@pytest.fixture(scope="module", params=RUNTIMES)
def graph_engine(
    request: pytest.FixtureRequest, model: SceneTextModel, tmp_path_factory: pytest.TempPathFactory
) -> GraphSceneEngine:
    graphs = ExportedGraphs(model, tmp_path_factory.mktemp("graphs"), request.param)
    return GraphSceneEngine(model.config, graphs, "float32")


def images(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, (*shape, 3), dtype=np.uint8)


def some_edges(count: int, columns: int) -> NDArray[np.float32]:
    random = np.random.default_rng(4)
    upper = random.uniform(0, 50, (count, 1, 1, 2)) + np.linspace(0, 40, columns)[:, None] * [1.0, 0.2]
    return np.concatenate([upper, upper + np.array([0, 12])], axis=1).astype(np.float32)


@pytest.mark.parametrize("shape", [(1, 64, 96), (2, 96, 32)])
def test_text_is_found_and_embedded_as_by_torch(
    graph_engine: GraphSceneEngine, torch_engine: SceneEngine, shape: tuple[int, ...]
) -> None:
    wanted, found = torch_engine.encode(images(*shape)), graph_engine.encode(images(*shape))
    assert found.probability.shape == (shape[0], shape[1] // 2, shape[2] // 2)
    assert found.probability == pytest.approx(wanted.probability, abs=TOLERANCE)
    assert found.close_ups is not None
    assert found.close_ups.shape == (shape[0], 3, shape[1] // 32, shape[2] // 32)
    assert found.close_ups == pytest.approx(wanted.close_ups, abs=TOLERANCE)
    owner = np.arange(5) % shape[0]
    edges = some_edges(5, graph_engine.config.embedder.region[1])
    read, reference = (
        each.read_regions(encoded, edges, owner)
        for each, encoded in ((graph_engine, found), (torch_engine, wanted))
    )
    assert read.embeddings == pytest.approx(reference.embeddings, abs=TOLERANCE)
    assert read.logits == pytest.approx(reference.logits, abs=10 * TOLERANCE)


@pytest.mark.parametrize("count", [1, 9])
def test_crops_are_read_as_by_torch(
    graph_engine: GraphSceneEngine, torch_engine: SceneEngine, count: int
) -> None:
    assert graph_engine.crops is not None
    assert torch_engine.crops is not None
    crops = images(count, 32, 128)
    found, wanted = graph_engine.crops.read(crops), torch_engine.crops.read(crops)
    assert found.tables == pytest.approx(wanted.tables, abs=TOLERANCE)
    assert found.ctc_logits == pytest.approx(wanted.ctc_logits, abs=10 * TOLERANCE)
    assert found.orientation == pytest.approx(wanted.orientation, abs=10 * TOLERANCE)


def test_words_that_end_early_leave_the_batch_and_read_the_same(
    graph_engine: GraphSceneEngine, torch_engine: SceneEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert graph_engine.crops is not None
    crops = np.concatenate([images(4, 32, 128), np.zeros((4, 32, 128, 3), np.uint8)])
    together = graph_engine.crops.read(crops).tables
    alone = [graph_engine.crops.read(crop[None]).tables[0] for crop in crops]
    for table, single in zip(together, alone, strict=True):
        length = min(len(table), len(single))
        end = next((i for i, row in enumerate(single) if row.argmax() == 0), length - 1)
        assert table[: end + 1] == pytest.approx(single[: end + 1], abs=TOLERANCE)


def test_words_are_as_probable_as_for_torch(
    graph_engine: GraphSceneEngine, torch_engine: SceneEngine
) -> None:
    assert graph_engine.crops is not None
    assert torch_engine.crops is not None
    words = ["coffee", "x", "Zürich!", "1234567890"]
    found, wanted = (each.log_probabilities(words) for each in (graph_engine.crops, torch_engine.crops))
    assert found == pytest.approx(wanted, abs=10 * TOLERANCE)


def test_several_threads_compute_at_the_same_time(graph_engine: GraphSceneEngine) -> None:
    shared = graph_engine.for_callers(3)
    wanted = {side: shared.encode(images(1, side, side)).probability.copy() for side in (32, 64, 96)}
    found: dict[int, NDArray[np.float32]] = {}

    def compute(side: int) -> None:
        for _ in range(5):
            found[side] = shared.encode(images(1, side, side)).probability.copy()

    threads = [threading.Thread(target=compute, args=(side,)) for side in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for side, probability in wanted.items():
        assert found[side] == pytest.approx(probability, abs=1e-5)


def test_a_spotter_finds_the_same_words_with_graphs(
    graph_engine: GraphSceneEngine, torch_engine: SceneEngine, word_scene: Scene
) -> None:
    from stsearch.spotting.spotter import Spotter
    from stsearch.weights.card import Card

    info = Card(graph_engine.config).info
    polygons = [[word.polygon for word in word_scene.words]]
    [found], [wanted] = (
        Spotter(engine, info).read([word_scene.image], polygons) for engine in (graph_engine, torch_engine)
    )
    assert [each.transcript for each in found] == [each.transcript for each in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=TOLERANCE)
