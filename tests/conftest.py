"""What every test stands on: user folders of its own, the program as a subprocess, the shipped weights."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from postgres_server import Server, running_server, why_not
from program import ROOT, Cli

from stsearch.config import (
    BackboneConfig,
    DetectorConfig,
    EmbedderConfig,
    ModelConfig,
    RecognizerConfig,
    TextTowerConfig,
)
from stsearch.gallery.address import DatabaseUrl
from stsearch.types import ModelInfo, Scene, WordLabel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bucket_fixtures import LocalBucket
    from gallery_fixtures import ColourSpotter, Run

    from stsearch.models.recognizer import Recognizer
    from stsearch.models.scene_text import SceneTextModel

# Set before torch is imported: its threads and those of a parallel run would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "2")
# Stand-ins for the networks are in the process of the test.
os.environ["STSEARCH_WORKERS"] = "1"


@pytest.fixture(autouse=True)
def own_user_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test, and the programs it starts, away from the galleries and settings of the user."""
    home = tmp_path_factory.mktemp("home")
    for kind in ("DATA", "CONFIG", "CACHE", "STATE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(home / kind.lower()))
    for name in [name for name in os.environ if name.startswith("STSEARCH_") and name != "STSEARCH_WORKERS"]:
        monkeypatch.delenv(name)
    # What a test starts runs this code, installed or not, and finds what this process was told to find.
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture(scope="session")
def micro_config() -> ModelConfig:
    """Return the configuration of a network small enough to build and train in a test."""
    return ModelConfig(
        name="micro",
        backbone=BackboneConfig(layers=(1, 1, 1, 1), width=8, heads=4, output_dim=32),
        neck_channels=16,
        detector=DetectorConfig(channels=8),
        embedder=EmbedderConfig(channels=(16, 16, 24), hidden=16, frames=8, frame_dim=8, character_dim=16),
        longer_side=256,
    )


@pytest.fixture(scope="session")
def cheap_config(micro_config: ModelConfig) -> ModelConfig:
    """Return the configuration of such a network with everything that makes detection cheaper."""
    return dataclasses.replace(
        micro_config,
        backbone=dataclasses.replace(micro_config.backbone, strided_kernel=4),
        neck_inner_channels=8,
        detector=dataclasses.replace(micro_config.detector, squeezed_channels=4),
    )


@pytest.fixture
def micro_model(micro_config: ModelConfig) -> SceneTextModel:
    """Return such a network with random weights, in evaluation mode."""
    import torch

    from stsearch.models.scene_text import build_model

    torch.manual_seed(0)
    return build_model(micro_config).eval()


@pytest.fixture(scope="session")
def micro_recognizer_config() -> RecognizerConfig:
    """Return the configuration of a recognizer small enough to build and train in a test."""
    return RecognizerConfig(
        stem=(8, 8, 16, 16),
        width=32,
        layers=1,
        heads=2,
        output_dim=32,
        decoder_heads=4,
        text=TextTowerConfig(context_length=28, width=16, heads=2, layers=1),
    )


@pytest.fixture
def micro_recognizer(micro_recognizer_config: RecognizerConfig) -> Recognizer:
    """Return such a recognizer with random weights, in evaluation mode."""
    import torch

    from stsearch.models.recognizer import build_recognizer

    torch.manual_seed(0)
    return build_recognizer(micro_recognizer_config).eval()


@pytest.fixture
def word_scene() -> Scene:
    """Return a small light picture with the dark word "HI" in it, labelled, beside an illegible one."""
    import cv2
    import numpy as np

    image = np.full((64, 128, 3), 220, np.uint8)
    cv2.putText(image, "HI", (20, 48), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (20, 20, 20), 3)
    word = np.array([[16, 20], [64, 20], [64, 52], [16, 52]], np.float32)
    blur = np.array([[80, 20], [120, 20], [120, 52], [80, 52]], np.float32)
    return Scene(image, (WordLabel(word, "Hi", True), WordLabel(blur, "", False)))


@pytest.fixture
def cli() -> Cli:
    """Run ``stsearch`` as a user does, in its own process."""

    def run(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "stsearch", *map(str, arguments)]
        return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def model() -> list[ModelInfo]:
    """Return the weights that ``run`` loads, for a test to change."""
    from gallery_fixtures import MODEL

    return [MODEL]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    model: list[ModelInfo],
    tmp_path: Path,
) -> Run:
    """Run the program in this process, in an empty folder, with the letter model for weights."""
    from gallery_fixtures import ColourSpotter, Done, LetterEncoder

    from stsearch.cli import app

    def load_spotter(
        _name: str, _device: str = "auto", reads: bool = True, _engine: str = "auto"
    ) -> ColourSpotter:
        return ColourSpotter(model[0], reads)

    weights = ModuleType("stsearch.spotting.load")
    weights.load_spotter = load_spotter  # type: ignore[attr-defined]  # a stand-in for the module
    monkeypatch.setitem(sys.modules, "stsearch.spotting.load", weights)
    monkeypatch.setattr("stsearch.search.query_encoder.load_query_encoder", lambda _: LetterEncoder(model[0]))
    monkeypatch.setattr("stsearch.weights.card.find_by_sha256", lambda sha256, name: name)
    monkeypatch.setattr("stsearch.weights.card.check_weights", lambda name: SimpleNamespace(info=model[0]))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    def call(*arguments: str | Path) -> Done:
        code = app.run(app.app, [str(argument) for argument in arguments])
        return Done(code, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def storage_server() -> Iterator[str]:
    """Return the URL of a server that speaks like Amazon's storage."""
    pytest.importorskip("obstore", reason="obstore is missing: pip install 'stsearch[objects]'")
    moto = pytest.importorskip("moto.server", reason="moto is missing: pip install 'moto[s3,server]'")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(storage_server: str, monkeypatch: pytest.MonkeyPatch) -> LocalBucket:
    """Return an empty bucket, which the program finds as it finds Amazon's."""
    from bucket_fixtures import LocalBucket, lead_to

    lead_to(storage_server, monkeypatch)
    return LocalBucket.on(storage_server)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """Return a running PostgreSQL server."""
    if reason := why_not():
        pytest.skip(reason)
    with running_server() as server:
        yield server


@pytest.fixture
def database(postgres: Server) -> DatabaseUrl:
    """Return the URL of an empty database."""
    return DatabaseUrl(postgres.url(postgres.new_database()))


@pytest.fixture(scope="session")
def tiny_weights() -> Path:
    """Return the folder of the shipped weights."""
    folder = ROOT / "weights" / "tiny"
    if not (folder / "model.safetensors").is_file():
        pytest.skip("weights/tiny is not there yet")
    return folder


@pytest.fixture(scope="session")
def rendered_gallery() -> Path:
    """Return the rendered photographs that ship with the examples."""
    return ROOT / "examples" / "gallery"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests marked ``gpu`` on machines without one."""
    on_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if on_gpu and not _has_gpu():
        for item in on_gpu:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


def _has_gpu() -> bool:
    """Return whether there is a GPU, or whether its tests are to run on the CPU, as a dry run."""
    import torch

    return os.environ.get("GPU_TEST_DEVICE") == "cpu" or torch.cuda.is_available()
