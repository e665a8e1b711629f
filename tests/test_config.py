"""Strict conversion of configurations from and to dictionaries and TOML."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stsearch.config import ModelConfig, PromptConfig, TextTowerConfig
from stsearch.dataclass_io import from_dict, overlay, to_dict
from stsearch.errors import UsageError
from stsearch.training.presets import PRESETS, load_preset


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_a_model_config_survives_json(name: str) -> None:
    config = PRESETS[name].model
    assert from_dict(ModelConfig, json.loads(json.dumps(to_dict(config)))) == config


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param({"detector": {"strid": 4}}, "config.detector has no strid", id="unknown name"),
        pytest.param({"longer_side": "big"}, "config.longer_side must be int, not 'big'", id="wrong type"),
        pytest.param({"longer_side": True}, "config.longer_side must be int", id="a boolean is no number"),
        pytest.param(
            {"embedder": {"region": [8]}}, "config.embedder.region must have 2 values", id="wrong length"
        ),
        pytest.param({"backbone": 3}, "config.backbone must be a table", id="no table"),
        pytest.param({"backbone": {"layers": 3}}, "config.backbone.layers must be a list", id="no list"),
    ],
)
def test_overlay_names_what_it_refuses(values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        overlay(ModelConfig(), values)


def test_overlay_changes_only_what_it_names() -> None:
    changed = overlay(ModelConfig(), {"detector": {"shrink_ratio": 2}})
    assert changed.detector.shrink_ratio == 2.0
    assert changed.embedder == ModelConfig().embedder


def test_a_file_overlays_the_model_and_single_stages(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(
        "[model]\nlonger_side = 960\n[stages.words]\nsteps = 5\n[stages.words.weights]\nctc = 2.0\n"
    )
    preset = load_preset("tiny", path)
    assert preset.model.longer_side == 960
    contrast, words, *others = preset.stages
    assert (words.steps, words.weights.ctc) == (5, 2.0)
    assert (contrast, *others) == (PRESETS["tiny"].stages[0], *PRESETS["tiny"].stages[2:])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("[stages.sleep]\n", "unknown sleep", id="unknown stage"),
        pytest.param("[mode]\n", "unknown mode", id="unknown table"),
        pytest.param("model = \n", "is not TOML", id="broken"),
    ],
)
def test_a_bad_file_is_named_with_the_reason(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_preset("tiny", path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*none\.toml"):
        load_preset("tiny", tmp_path / "none.toml")


def test_an_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match="choose from cr50, tiny"):
        load_preset("huge")


def test_false_leaves_the_prompts_out(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("[model]\nprompts = false\n")
    assert PRESETS["cr50"].model.prompts is not None
    assert load_preset("cr50", path).model.prompts is None


def test_a_model_without_prompts_survives_json() -> None:
    config = overlay(PRESETS["cr50"].model, {"prompts": None})
    assert from_dict(ModelConfig, json.loads(json.dumps(to_dict(config)))) == config


def test_prompts_that_are_named_in_part_get_defaults_for_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("[model.prompts]\ncontext_vectors = 32\ntext = {layers = 2}\n")
    expected = PromptConfig(TextTowerConfig(layers=2), context_vectors=32)
    assert load_preset("tiny", path).model.prompts == expected


def test_prompts_that_are_there_keep_what_is_not_named(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('[model.prompts]\nquery = "image"\n')
    prompts = load_preset("cr50", path).model.prompts
    assert prompts is not None
    assert (prompts.query, prompts.visual_width, prompts.text.tokenizer) == ("image", 256, "clip")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param({"phrases": "text"}, "config.prompts has no phrases", id="unknown name"),
        pytest.param(
            {"text": {"widht": 8}}, "config.prompts.text has no widht", id="unknown name of the tower"
        ),
        pytest.param({"temperature": "low"}, "config.prompts.temperature must be float", id="wrong type"),
        pytest.param(True, "config.prompts must be a table, not True", id="true"),
    ],
)
def test_overlay_names_what_it_refuses_of_prompts(values: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        overlay(ModelConfig(), {"prompts": values})
