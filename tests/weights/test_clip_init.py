"""Towers that start from a CLIP: what is copied, from which files, and what cannot be."""

from __future__ import annotations

import dataclasses
import socket
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import cast

import open_clip
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from stsearch.config import BackboneConfig, ModelConfig, PromptConfig, RecognizerConfig, TextTowerConfig
from stsearch.errors import UsageError, WeightsError
from stsearch.models.prompts import TextPrompt
from stsearch.models.scene_text import SceneTextModel, build_model, freeze_prompts
from stsearch.models.text_encoder import ClipTextEncoder, tokenize
from stsearch.training.options import TrainOptions
from stsearch.training.train import train
from stsearch.weights.clip_init import load_clip

NAME = "micro-clip"
VISION = {"layers": [1, 1, 1, 1], "width": 8, "image_size": 224, "patch_size": None}
TEXT = {"context_length": 96, "vocab_size": 258, "width": 64, "heads": 2, "layers": 1}
TOWER = TextTowerConfig(width=64, heads=2, layers=1, quick_gelu=True)

Save = Callable[[open_clip.CLIP, Path], Path]

TRAINING = """
[model]
neck_channels = 16
detector = {channels = 8}
embedder = {channels = [16, 16, 24], hidden = 16, frames = 8, frame_dim = 8, character_dim = 16}
[model.backbone]
clip_name = "micro-clip"
layers = [1, 1, 1, 1]
width = 8
heads = 4
output_dim = 32
strided_kernel = 0
[stages.words]
canvases = [{source = "words", height = 32, width = 64, batch = 2, share = 1.0}]
real_share = 0.0
crop_share = 0.0
"""


@pytest.fixture
def config(micro_config: ModelConfig) -> ModelConfig:
    backbone = BackboneConfig(NAME, layers=(1, 1, 1, 1), width=8, heads=4, output_dim=32, attention_pool=True)
    prompts = PromptConfig(TOWER, visual_layers=0)
    return dataclasses.replace(micro_config, backbone=backbone, prompts=prompts)


@pytest.fixture
def clip(monkeypatch: pytest.MonkeyPatch) -> open_clip.CLIP:
    """Make a CLIP that half precision keeps exactly, of a size that open_clip knows by name."""
    sizes = {"embed_dim": 32, "vision_cfg": VISION, "text_cfg": TEXT}
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, NAME, sizes)
    torch.manual_seed(1)
    clip = open_clip.create_model(NAME, force_quick_gelu=True)
    for name, values in clip.state_dict().items():
        if "running_" in name:  # of a network that has seen images
            values.uniform_(0.5, 1.5)
        if values.is_floating_point():
            values.copy_(values.half())
    return clip.eval()


@pytest.fixture
def fetched(clip: open_clip.CLIP, monkeypatch: pytest.MonkeyPatch) -> open_clip.CLIP:
    """Put ``clip`` where open_clip would download OpenAI's."""
    monkeypatch.setattr(open_clip, "create_model", lambda *_, **__: clip)
    return clip


def text_tower(model: SceneTextModel) -> ClipTextEncoder:
    assert model.matcher is not None
    assert isinstance(model.matcher.prompt, TextPrompt)
    return model.matcher.prompt.encoder


def equal(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    return all(torch.equal(left[name], right[name]) for name in left)


def as_state(clip: open_clip.CLIP, folder: Path) -> Path:
    torch.save(clip.state_dict(), folder / "clip.pt")
    return folder / "clip.pt"


def as_training_checkpoint(clip: open_clip.CLIP, folder: Path) -> Path:
    state = {f"module.{name}": values for name, values in clip.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state}, folder / "epoch_3.pt")
    return folder / "epoch_3.pt"


def as_safetensors(clip: open_clip.CLIP, folder: Path) -> Path:
    save_file({k: v.contiguous() for k, v in clip.state_dict().items()}, folder / "clip.safetensors")
    return folder / "clip.safetensors"


class Node(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images


def as_archive(clip: open_clip.CLIP, folder: Path) -> Path:
    """Save as OpenAI does: traced, in half precision, with sizes among the weights."""
    sizes = {name: torch.tensor(TEXT[name]) for name in ("context_length", "vocab_size")}
    halves = {k: v.half() if v.is_floating_point() else v for k, v in clip.state_dict().items()}
    root = Node()
    for name, values in {**halves, **sizes, "input_resolution": torch.tensor(224)}.items():
        node, (*parents, last) = root, name.split(".")
        for parent in parents:
            if not hasattr(node, parent):
                node.add_module(parent, Node())
            node = cast("Node", getattr(node, parent))
        node.register_buffer(last, values)
    with warnings.catch_warnings(action="ignore"):  # torch would rather export; OpenAI did not
        torch.jit.trace(root, torch.ones(1)).save(folder / "clip.pt")
    return folder / "clip.pt"


def test_the_image_tower_is_that_of_the_clip(config: ModelConfig, fetched: open_clip.CLIP) -> None:
    model = build_model(config)
    load_clip(model, ["openai"])
    assert equal(fetched.visual.state_dict(), model.backbone.trunk.state_dict())


def test_the_text_tower_is_that_of_the_clip(config: ModelConfig, fetched: open_clip.CLIP) -> None:
    model = build_model(config)
    load_clip(model, ["openai"])
    assert equal(text_tower(model).tower.state_dict(), fetched.state_dict())


def test_the_pooled_embedding_is_that_of_the_clip(config: ModelConfig, fetched: open_clip.CLIP) -> None:
    model = build_model(config).eval()
    load_clip(model, ["openai"])
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        pooled = model.backbone.embed(model.backbone(images)[-1])[1]
        expected = fetched.encode_image(images)
    assert expected.std() > 1e-3
    torch.testing.assert_close(pooled, expected, atol=1e-5, rtol=1e-5)


def test_the_embedding_of_a_string_is_that_of_the_clip(config: ModelConfig, fetched: open_clip.CLIP) -> None:
    model = build_model(config).eval()
    load_clip(model, ["openai"])
    tokens = tokenize(["exit", "fire exit"], TOWER)
    padded = nn.functional.pad(tokens, (0, 96 - tokens.shape[1]))
    with torch.inference_mode():
        embeddings, expected = text_tower(model)(tokens), fetched.encode_text(padded)
    torch.testing.assert_close(embeddings, expected, atol=1e-5, rtol=1e-5)


def test_a_model_without_prompts_takes_the_image_tower_without_its_attention_pool(
    config: ModelConfig, fetched: open_clip.CLIP
) -> None:
    backbone = dataclasses.replace(config.backbone, attention_pool=False)
    model = build_model(dataclasses.replace(config, backbone=backbone, prompts=None))
    load_clip(model, ["openai"])
    assert equal(model.backbone.trunk.state_dict(), fetched.visual.state_dict())


def test_a_frozen_prompt_stays_as_it_is(config: ModelConfig, fetched: open_clip.CLIP) -> None:
    model = build_model(config).eval()
    freeze_prompts(model)
    assert model.matcher is not None
    before = {name: values.clone() for name, values in model.matcher.state_dict().items()}
    load_clip(model, ["openai"])
    assert equal(before, model.matcher.state_dict())
    assert equal(fetched.visual.state_dict(), model.backbone.trunk.state_dict())


@pytest.mark.parametrize("save", [as_state, as_training_checkpoint, as_safetensors, as_archive])
def test_both_towers_are_read_from_a_file(
    save: Save, config: ModelConfig, clip: open_clip.CLIP, tmp_path: Path
) -> None:
    model = build_model(config)
    load_clip(model, [str(save(clip, tmp_path))])
    assert equal(model.backbone.trunk.state_dict(), clip.visual.state_dict())
    assert equal(text_tower(model).tower.state_dict(), clip.state_dict())


@pytest.mark.usefixtures("clip")
@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        pytest.param("a.pt", b"", "EOFError", id="empty"),
        pytest.param("a.pt", b"not a checkpoint", "", id="text"),
        pytest.param("a.pt", b"PK\x03\x04" + bytes(60), "RuntimeError: PytorchStreamReader", id="cut"),
        pytest.param("a.safetensors", bytes(range(64, 128)), "SafetensorError: ", id="safetensors"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_named_with_the_reason(
    name: str, content: bytes, reason: str, config: ModelConfig, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=f"{name} is no checkpoint of CLIP's {NAME}: {reason}"):
        load_clip(build_model(config), [str(tmp_path / name)])


@pytest.mark.usefixtures("clip")
def test_a_checkpoint_of_something_else_names_what_it_lacks(config: ModelConfig, tmp_path: Path) -> None:
    torch.save({"weight": torch.ones(2)}, tmp_path / "other.pt")
    with pytest.raises(WeightsError, match=r"other\.pt is no .* Missing key.*positional_embedding"):
        load_clip(build_model(config), [str(tmp_path / "other.pt")])


@pytest.mark.usefixtures("clip")
def test_a_pickled_object_is_not_opened_nor_is_the_way_to_open_it_told(
    config: ModelConfig, tmp_path: Path
) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "module.pt")
    with pytest.raises(WeightsError, match=r"module\.pt .*: UnpicklingError: Weights only load failed$"):
        load_clip(build_model(config), [str(tmp_path / "module.pt")])


def test_a_file_called_like_public_weights_is_read_as_the_file_that_it_is(
    config: ModelConfig, clip: open_clip.CLIP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, NAME, {"cc12m": {"url": "https://x.invalid/y"}})
    monkeypatch.chdir(tmp_path)
    as_state(clip, tmp_path).rename("cc12m")
    model = build_model(config)
    load_clip(model, ["cc12m"])
    assert equal(clip.visual.state_dict(), model.backbone.trunk.state_dict())


def test_a_missing_file_is_named(config: ModelConfig, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"gone\.pt: no such file; give one of CLIP's micro-clip"):
        load_clip(build_model(config), [str(tmp_path / "gone.pt")])


def test_a_preset_without_public_weights_says_which_has_them(micro_model: SceneTextModel) -> None:
    with pytest.raises(UsageError, match="preset micro has no public CLIP weights; use --preset cr50"):
        load_clip(micro_model, ["openai"])


def test_weights_that_cannot_be_fetched_say_why_and_the_way_out(
    config: ModelConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: object, **__: object) -> None:
        try:
            raise socket.gaierror(-2, "Name or service not known")
        except OSError as error:
            raise RuntimeError("Failed to download weights for tag 'openai': try again") from error

    monkeypatch.setattr(open_clip, "create_model", offline)
    with pytest.raises(WeightsError, match="Name or service not known") as caught:
        load_clip(build_model(config), ["openai"])
    assert "open_clip.create_model('micro-clip', pretrained='openai'" in str(caught.value)
    assert "--clip-pretrained FILE" in str(caught.value)


@pytest.mark.usefixtures("fetched")
def test_a_text_tower_of_other_sizes_is_named(config: ModelConfig) -> None:
    prompts = PromptConfig(dataclasses.replace(TOWER, vocab_size=300), visual_layers=0)
    model = build_model(dataclasses.replace(config, prompts=prompts))
    with pytest.raises(UsageError, match=r"text tower .* size mismatch for token_embedding\.weight"):
        load_clip(model, ["openai"])


@pytest.mark.usefixtures("fetched")
def test_an_image_tower_of_other_sizes_is_named(config: ModelConfig) -> None:
    backbone = dataclasses.replace(config.backbone, layers=(2, 1, 1, 1))
    model = build_model(dataclasses.replace(config, backbone=backbone))
    with pytest.raises(UsageError, match=r"image tower .* Missing key.*layer1\.1\.conv1\.weight"):
        load_clip(model, ["openai"])


@pytest.mark.slow
def test_the_card_names_the_file_without_its_place_and_keeps_it_on_resuming(
    clip: open_clip.CLIP, tmp_path: Path
) -> None:
    (tmp_path / "micro.toml").write_text(TRAINING)
    options = TrainOptions(tmp_path / "run", config=tmp_path / "micro.toml", stage="words", device="cpu")
    options = dataclasses.replace(options, workers=0, steps=1)
    card = train(
        dataclasses.replace(options, clip_pretrained=(str(as_state(clip, tmp_path)),)), lambda _: None
    )
    resumed = train(dataclasses.replace(options, resume=True, steps=2), lambda _: None)
    assert (card.training["clip"], resumed.training["clip"]) == ("clip.pt", "clip.pt")


@pytest.mark.parametrize("other", ["--resume", "--init"])
def test_a_run_starts_from_one_set_of_weights(other: str, tmp_path: Path) -> None:
    init = tmp_path if other == "--init" else None
    options = TrainOptions(tmp_path, init=init, clip_pretrained=("openai",), resume=other == "--resume")
    with pytest.raises(UsageError, match=f"{other} brings weights of its own: drop it, or drop --clip-pre"):
        train(options, lambda _: None)


@pytest.fixture
def reading_clip(monkeypatch: pytest.MonkeyPatch) -> open_clip.CLIP:
    """Make a CLIP with a vision transformer, of a size that open_clip knows by name."""
    vision = {"layers": 1, "width": 64, "image_size": 32, "patch_size": 16}
    sizes = {"embed_dim": 32, "vision_cfg": vision, "text_cfg": TEXT}
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "micro-reader", sizes)
    torch.manual_seed(2)
    return open_clip.create_model("micro-reader", force_quick_gelu=True).eval()


@pytest.fixture
def reading_config(config: ModelConfig) -> ModelConfig:
    text = dataclasses.replace(TOWER, context_length=16)
    reader = RecognizerConfig(
        "micro-reader",
        size=(32, 32),
        patch=(16, 16),
        stem=(),
        width=64,
        layers=1,
        heads=1,
        output_dim=32,
        text=text,
    )
    return dataclasses.replace(config, recognizer=reader)


@pytest.mark.parametrize("save", [as_state, as_safetensors, as_training_checkpoint])
def test_each_file_goes_to_the_part_it_fits(
    clip: open_clip.CLIP,
    reading_clip: open_clip.CLIP,
    reading_config: ModelConfig,
    tmp_path: Path,
    save: Save,
) -> None:
    paths = []
    for name, each in (("reader", reading_clip), ("detector", clip)):
        (tmp_path / name).mkdir()
        paths.append(str(save(each, tmp_path / name)))
    model = build_model(reading_config)
    load_clip(model, paths)
    assert model.recognizer is not None
    assert equal(reading_clip.visual.state_dict(), model.recognizer.image.tower.state_dict())
    assert model.recognizer.cross is not None
    places = model.recognizer.cross.text.tower.positional_embedding
    assert torch.equal(places, reading_clip.positional_embedding[:16])
    assert equal(clip.visual.state_dict(), model.backbone.trunk.state_dict())


def test_an_archive_of_the_other_kind_is_not_taken_for_the_first(
    reading_clip: open_clip.CLIP, clip: open_clip.CLIP, reading_config: ModelConfig, tmp_path: Path
) -> None:
    backbone = dataclasses.replace(reading_config.backbone, clip_name="")
    model = build_model(dataclasses.replace(reading_config, backbone=backbone))
    with pytest.raises(WeightsError, match="no checkpoint of CLIP's micro-reader"):
        load_clip(model, [str(as_archive(clip, tmp_path))])


def test_everything_that_openai_published_is_fetched(
    clip: open_clip.CLIP,
    reading_clip: open_clip.CLIP,
    reading_config: ModelConfig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ready = {NAME: clip, "micro-reader": reading_clip}
    monkeypatch.setattr(open_clip, "create_model", lambda name, **_: ready[name])
    model = build_model(reading_config)
    load_clip(model, ["openai"])
    assert model.recognizer is not None
    assert equal(reading_clip.visual.state_dict(), model.recognizer.image.tower.state_dict())
    assert equal(clip.visual.state_dict(), model.backbone.trunk.state_dict())
