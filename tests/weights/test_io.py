"""Weights on disk: what is saved comes back, and damage is named."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import pytest
import torch
from weights_fixtures import change_card

from stsearch.config import ModelConfig
from stsearch.errors import DeviceError, OutOfDeviceMemoryError, WeightsError, WriteError
from stsearch.models.scene_text import SceneTextModel, build_model
from stsearch.search.query_encoder import load_query_encoder
from stsearch.weights.card import Card, read_card
from stsearch.weights.io import load_model, move_to, pick_device, save_model


@pytest.fixture
def saved(micro_model: SceneTextModel, tmp_path: Path) -> Path:
    save_model(tmp_path / "micro", micro_model, Card(micro_model.config, known_failures=["mirrors"]))
    return tmp_path / "micro"


def test_loaded_weights_equal_saved_ones_to_half_precision(micro_model: SceneTextModel, saved: Path) -> None:
    loaded, _ = load_model(str(saved), "cpu")
    for name, value in micro_model.state_dict().items():
        assert torch.allclose(loaded.state_dict()[name], value, rtol=1e-3, atol=1e-4), name


def test_a_cheaper_network_loads_from_its_card(cheap_config: ModelConfig, tmp_path: Path) -> None:
    model = build_model(cheap_config)
    save_model(tmp_path, model, Card(cheap_config))
    loaded, card = load_model(str(tmp_path), "cpu")
    assert card.config == cheap_config
    assert loaded.backbone.trunk.layer2[0].conv2.kernel_size == (4, 4)
    for name, value in model.state_dict().items():
        assert torch.allclose(loaded.state_dict()[name], value, rtol=1e-3, atol=1e-4), name


def test_the_card_holds_the_configuration_and_what_was_said(micro_model: SceneTextModel, saved: Path) -> None:
    card = read_card(saved)
    assert card.config == micro_model.config
    assert card.known_failures == ["mirrors"]
    assert card.parameters == sum(p.numel() for p in micro_model.parameters())
    assert (card.info.dim, card.info.longer_side, card.info.name) == (64, 256, "micro")


def test_one_flipped_bit_is_noticed(saved: Path) -> None:
    path = saved / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="does not match the checksum"):
        load_model(str(saved), "cpu")


def test_missing_tensors_are_named(saved: Path) -> None:
    (saved / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"model\.safetensors is missing"):
        load_query_encoder(str(saved))


def test_a_card_that_was_changed_is_noticed(saved: Path) -> None:
    path = saved / "card.json"
    said = json.loads(path.read_text())
    characters = said["config"]["embedder"]["characters"]
    said["config"]["embedder"]["characters"] = characters[::-1]
    path.write_text(json.dumps(said))
    with pytest.raises(WeightsError, match="does not match its checksum"):
        load_query_encoder(str(saved))


def test_a_card_from_before_there_was_a_checksum_is_read(saved: Path) -> None:
    path = saved / "card.json"
    said = json.loads(path.read_text())
    del said["checksum"]
    path.write_text(json.dumps(said))
    assert read_card(saved).known_failures == ["mirrors"]


def test_the_order_of_a_card_does_not_matter_to_its_checksum(saved: Path) -> None:
    path = saved / "card.json"
    path.write_text(json.dumps(dict(reversed(json.loads(path.read_text()).items()))))
    assert read_card(saved).known_failures == ["mirrors"]


def test_a_newer_card_is_refused(saved: Path) -> None:
    change_card(saved, format=99)
    with pytest.raises(WeightsError, match="format 99"):
        read_card(saved)


def test_a_card_with_an_unknown_setting_is_refused(saved: Path) -> None:
    change_card(saved, config={"colour": "red"})
    with pytest.raises(WeightsError, match="has no colour"):
        read_card(saved)


def test_a_card_that_is_no_json_is_refused(saved: Path) -> None:
    (saved / "card.json").write_text("{")
    with pytest.raises(WeightsError, match=r"card\.json is damaged"):
        read_card(saved)


@pytest.mark.parametrize("depth", [100, 500, 100_000])
def test_a_card_that_is_nested_deeply_is_damaged(saved: Path, depth: int) -> None:
    path = saved / "card.json"
    path.write_text(path.read_text().replace('"training": {}', f'"training": {"[" * depth}{"]" * depth}'))
    with pytest.raises(WeightsError, match="nested too deeply"):
        read_card(saved)


def test_tensors_of_another_architecture_are_refused(saved: Path) -> None:
    config = json.loads((saved / "card.json").read_text())["config"]
    change_card(saved, config=config | {"neck_channels": 24})
    with pytest.raises(WeightsError, match="does not fit this architecture"):
        load_model(str(saved), "cpu")


@pytest.mark.parametrize(
    ("build", "told", "reason"),
    [
        (None, "", "is a build without CUDA: install one with it"),
        ("13.0", "The NVIDIA driver on your system is too old", "the NVIDIA driver is too old for PyTorch"),
        ("13.0", "", "0 CUDA devices are visible: see that nvidia-smi lists one"),
    ],
)
def test_why_there_is_no_cuda_is_told(
    build: str | None, told: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_available() -> bool:
        if told:
            warnings.warn(f"CUDA initialization: {told} (found version 12020).", stacklevel=1)
        return False

    monkeypatch.setattr(torch.version, "cuda", build)
    monkeypatch.setattr(torch.cuda, "is_available", is_available)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(DeviceError, match=f"cuda: .*{reason}.*--device cpu"):
        pick_device("cuda")
    assert pick_device("auto").type == "cpu"  # and no warning reaches the terminal


def test_weights_that_do_not_fit_on_a_device_are_a_device_error(
    micro_model: SceneTextModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(micro_model, "to", fail)
    with pytest.raises(OutOfDeviceMemoryError, match="cuda:1 has too little free memory"):
        move_to(micro_model, torch.device("cuda:1"))


def test_unknown_weights_list_the_choices() -> None:
    with pytest.raises(WeightsError, match="no weights 'enormous'"):
        load_model("enormous")


def test_a_folder_that_cannot_be_written_is_named(micro_model: SceneTextModel, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="cannot write weights"):
        save_model(tmp_path / "file" / "micro", micro_model, Card(micro_model.config))


@pytest.mark.parametrize("name", ["cuda:63", "abacus"])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(DeviceError, match=name):
        pick_device(name)
