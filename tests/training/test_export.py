"""Weights are exported to graphs in 8 bits that find and read what the weights do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from engine_fixtures import build_lively_model

from stsearch.config import ModelConfig, RecognizerConfig
from stsearch.engines.graphs import CROPS, DECODER, REGIONS, SCENE, STRINGS
from stsearch.errors import UsageError, WeightsError
from stsearch.spotting.load import load_recognizer_runner, load_spotter
from stsearch.training.export import export
from stsearch.types import Scene
from stsearch.weights.card import Card, check_weights, read_card
from stsearch.weights.io import load_model, save_model

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def exported(
    micro_config: ModelConfig,
    micro_recognizer_config: RecognizerConfig,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Return a folder of weights with their graphs, calibrated on noise."""
    folder = tmp_path_factory.mktemp("weights")
    model = build_lively_model(micro_config, micro_recognizer_config)
    save_model(folder, model, Card(model.config))
    random = np.random.default_rng(0)
    photos = []
    for number in range(2):
        photos.append(folder / f"{number}.png")
        cv2.imwrite(str(photos[-1]), random.integers(0, 256, (96, 160, 3), dtype=np.uint8))
    export(str(folder), photos)
    return folder


def test_the_card_names_every_graph_with_its_checksum(exported: Path) -> None:
    card = check_weights(str(exported))
    assert set(card.graphs) == {SCENE, REGIONS, CROPS, DECODER, STRINGS}
    (exported / STRINGS).rename(exported / "away")
    with pytest.raises(WeightsError, match=r"strings\.onnx is missing"):
        check_weights(str(exported))
    (exported / "away").rename(exported / STRINGS)


def test_eight_bits_find_what_float32_finds(exported: Path, word_scene: Scene) -> None:
    polygons = [[word.polygon for word in word_scene.words]]
    for engine in ("openvino", "onnx"):
        [found] = load_spotter(str(exported), "cpu", engine=engine).read([word_scene.image], polygons)
        [wanted] = load_spotter(str(exported), "cpu", engine="torch").read([word_scene.image], polygons)
        assert all(one.embedding @ other.embedding > 0.9 for one, other in zip(found, wanted, strict=True))


def test_a_cpu_runs_graphs_without_torch(exported: Path) -> None:
    script = f"""
import sys, numpy
from stsearch.spotting.load import load_spotter
spotter = load_spotter({str(exported)!r}).for_indexing()
spotter.spot([numpy.zeros((64, 96, 3), numpy.uint8)])
assert "int8 (OpenVINO)" in spotter.precision, spotter.precision
print(sorted({{"torch", "torchvision", "timm", "open_clip"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_the_command_exports_with_photographs_of_folders(
    exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from stsearch.cli import app

    code = app.run(app.app, ["models", "export", str(exported), "--data", str(exported), "--photos", "1"])
    assert (code, capsys.readouterr().out.split()) == (0, [SCENE, REGIONS, CROPS, DECODER, STRINGS])
    (exported / "none").mkdir()
    assert app.run(app.app, ["models", "export", str(exported), "--data", str(exported / "none")]) == 2
    assert "no photographs in" in capsys.readouterr().err


def test_tensors_that_changed_have_no_graphs(exported: Path, tmp_path: Path) -> None:
    model, card = load_model(str(exported), "cpu")
    assert save_model(tmp_path, model, card).graphs == card.graphs
    model.detector.probability[-1].get_parameter("bias").data += 1
    assert save_model(tmp_path, model, card).graphs == {}


def test_an_engine_that_cannot_be_had_is_refused(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="no engine 'tpu'; choose one of auto, openvino, onnx, torch"):
        load_spotter(str(exported), "cpu", engine="tpu")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="--engine onnx needs the package onnxruntime: pip install onnx"):
        load_recognizer_runner(str(exported), "cpu", "onnx")
    assert load_spotter(str(exported), "cpu").precision.startswith(("float32", "bfloat16"))


def test_weights_without_graphs_run_on_torch_alone(
    micro_config: ModelConfig, micro_recognizer_config: RecognizerConfig, tmp_path: Path
) -> None:
    model = build_lively_model(micro_config, micro_recognizer_config)
    save_model(tmp_path, model, Card(model.config))
    assert read_card(tmp_path).graphs == {}
    assert "OpenVINO" not in load_spotter(str(tmp_path), "cpu").precision
    with pytest.raises(WeightsError, match=r"has no graphs for --engine openvino: .* stsearch models export"):
        load_spotter(str(tmp_path), "cpu", engine="openvino")
