"""``stsearch models``: what is listed and shown, and how damage to weights is reported."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from gallery_fixtures import Done, Run
from train_fixtures import write_crops, write_photographs
from weights_fixtures import change_card

from stsearch.cli import app
from stsearch.config import ModelConfig
from stsearch.models.recognizer import Recognizer
from stsearch.models.scene_text import SceneTextModel, build_model
from stsearch.types import Scene
from stsearch.weights.card import Card
from stsearch.weights.io import save_model


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, micro_config: ModelConfig) -> Path:
    """Return a folder of weights called ``micro``, random ones."""
    shipped = tmp_path_factory.mktemp("weights")
    model: SceneTextModel = build_model(micro_config)
    metrics = {"validation": {"retrieval_map": 0.6543}}
    save_model(shipped / "micro", model, Card(micro_config, metrics=metrics, known_failures=["small words"]))
    return shipped


@pytest.fixture
def shipped(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of it that a test may damage, shipped with the program."""
    folder = shutil.copytree(made, tmp_path / "weights")
    monkeypatch.setattr("stsearch.weights.card.weights_folder", lambda: folder)
    return folder


@pytest.fixture
def with_reader(shipped: Path) -> Path:
    """Return weights with a recognizer, as far as their card says."""
    folder = shutil.copytree(shipped / "micro", shipped / "reads")
    (folder / "recognizer.safetensors").write_bytes(b"tensors")
    change_card(folder, recognizer_sha256="26cc73f9fbf623d9a49bbf3f3d88f70195f2de68d7f25b5161f6700e6644cf44")
    return folder


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str | Path) -> Done:
        return Done(app.run(app.app, ["models", *map(str, arguments)]), *capsys.readouterr())

    return call


def flip_a_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


@pytest.mark.usefixtures("shipped", "with_reader")
def test_the_list_says_how_large_and_how_good_weights_are(run: Run) -> None:
    assert run() == Done(0, "micro\t0.2 M\t0.4 MB\t65.4\tno\nreads\t0.2 M\t0.4 MB\t65.4\tyes\n", "")


def test_the_list_in_json_lines_has_exact_numbers(run: Run, shipped: Path) -> None:
    card = json.loads((shipped / "micro" / "card.json").read_text())
    assert json.loads(run("--json").out) == {
        "type": "model",
        "schema": 1,
        "name": "micro",
        "parameters": card["parameters"],
        "bytes": (shipped / "micro" / "model.safetensors").stat().st_size,
        "map": 0.6543,
        "reads": False,
    }


@pytest.mark.parametrize("metrics", [{}, {"validation": None}, {"validation": {"retrieval_map": "good"}}, []])
def test_weights_that_were_never_measured_are_listed_without_a_figure(
    run: Run, shipped: Path, metrics: object
) -> None:
    change_card(shipped / "micro", metrics=metrics)
    assert run().out.split("\t")[3] == "-"


def test_a_damaged_card_does_not_hide_other_weights(run: Run, shipped: Path, with_reader: Path) -> None:
    (with_reader / "card.json").write_text("{")
    done = run()
    assert (done.code, done.out.split("\t")[0]) == (13, "micro")
    assert f"error: {with_reader / 'card.json'} is damaged" in done.err


def test_show_is_a_page_for_people(run: Run, shipped: Path) -> None:
    done = run("show", "micro")
    assert done.code == 0
    shown = [(line[:11].rstrip(), line[12:]) for line in done.out.splitlines()]
    assert ("name", "micro") in shown
    assert ("reading", "by the embedder alone, roughly") in shown
    assert ("retrieval", "mAP 65.4%") in shown
    assert ("weak at", "small words") in shown


def test_a_card_that_says_little_or_nonsense_is_shown_as_far_as_it_goes(run: Run, shipped: Path) -> None:
    change_card(
        shipped / "micro",
        metrics={"validation": []},
        training={"photographs": 3, "stages": {"words": None}},
    )
    out = run("show", "micro").out
    assert "retrieval   not measured: stsearch models measure" in out
    assert "trained on" not in out


def test_verify_prints_json_lines(run: Run, shipped: Path) -> None:
    line = json.loads(run("verify", "--json").out)
    file = shipped / "micro" / "model.safetensors"
    assert (line["type"], line["schema"], line["file"]) == ("whole", 1, str(file))


def test_show_prints_the_whole_card_for_programs(run: Run, shipped: Path) -> None:
    done = run("show", "micro", "--json")
    assert done.code == 0
    card = json.loads((shipped / "micro" / "card.json").read_text())
    del card["checksum"]
    assert json.loads(done.out) == card


@pytest.mark.parametrize(
    ("before", "after"), [("0123", "1023"), ("0.6543", "0.9543")], ids=["characters", "a figure"]
)
def test_verify_notices_a_changed_card(run: Run, shipped: Path, before: str, after: str) -> None:
    card = shipped / "micro" / "card.json"
    card.write_text(card.read_text().replace(before, after))
    done = run("verify", "micro")
    assert (done.code, done.out) == (13, "")
    assert f"{card} does not match its checksum" in done.err


@pytest.mark.usefixtures("shipped")
@pytest.mark.parametrize("command", ["show", "verify"])
def test_an_unknown_name_ends_with_13_and_lists_the_names(run: Run, command: str) -> None:
    done = run(command, "huge")
    assert (done.code, done.out) == (13, "")
    assert "no weights 'huge': give a folder with a card.json, or a shipped name (micro)" in done.err


def test_verify_names_every_file_of_whole_weights(run: Run, shipped: Path, with_reader: Path) -> None:
    done = run("verify")
    assert (done.code, done.err) == (0, "")
    assert [line.partition(": whole, sha256 ")[0] for line in done.out.splitlines()] == [
        str(shipped / "micro" / "model.safetensors"),
        str(with_reader / "model.safetensors"),
        str(with_reader / "recognizer.safetensors"),
    ]


@pytest.mark.parametrize("file", ["model.safetensors", "recognizer.safetensors"])
def test_a_changed_byte_is_found_and_other_weights_are_still_checked(
    run: Run, with_reader: Path, file: str
) -> None:
    flip_a_byte(with_reader / file)
    done = run("verify")
    assert done.code == 13
    assert f"{with_reader / file} does not match the checksum in its card" in done.err
    assert "micro/model.safetensors: whole" in done.out


def test_verify_takes_a_folder_and_looks_at_nothing_else(run: Run, with_reader: Path, tmp_path: Path) -> None:
    flip_a_byte(with_reader / "model.safetensors")
    mine = shutil.copytree(tmp_path / "weights" / "micro", tmp_path / "mine")
    assert run("verify", mine).code == 0
    (mine / "model.safetensors").unlink()
    done = run("verify", mine)
    assert (done.code, done.out) == (13, "")
    assert f"{mine / 'model.safetensors'} is missing; install the weights again" in done.err


def test_on_a_terminal_the_list_is_a_table(run: Run, shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    header, row = run().out.splitlines()
    assert header.split() == ["name", "parameters", "file", "mAP", "recognizer"]
    assert row.split() == ["micro", "0.2", "M", "0.4", "MB", "65.4", "no"]
    shutil.rmtree(shipped / "micro")
    assert run().out.strip() == ""


@pytest.fixture
def reading(
    micro_model: SceneTextModel, micro_recognizer: Recognizer, tmp_path: Path, word_scene: Scene
) -> Path:
    """Return weights with a recognizer; two labelled sets and word crops lie beside them."""
    micro_model.recognizer = micro_recognizer
    micro_model.config = dataclasses.replace(micro_model.config, recognizer=micro_recognizer.config)
    save_model(tmp_path / "mine", micro_model, Card(micro_model.config))
    write_photographs(tmp_path / "val", word_scene, 2)
    write_photographs(tmp_path / "svt", word_scene, 1)
    write_crops(tmp_path / "crops", word_scene)
    return tmp_path / "mine"


@pytest.mark.slow
def test_measure_prints_what_it_writes_to_the_card(run: Run, reading: Path) -> None:
    sets = reading.parent
    options = ("--val", sets / "val", "--val-crops", sets / "crops", "--report", f"{sets / 'svt'}:partial")
    done = run("measure", reading, *options, "--device", "cpu")
    assert (done.code, done.err) == (0, "")
    summary, val, svt, words, last = done.out.splitlines()
    card = json.loads((reading / "card.json").read_text())
    by_set = card["metrics"]["validation"]["by_set"]
    assert summary.startswith("validation (2 photos, 2 queries): ")
    assert val.split("\t")[:4] == ["val", "2", "2", f"{100 * by_set['val']['map']:.1f}"]
    assert svt.split("\t")[:3] == ["svt:partial", "1", "1"]
    assert words.startswith("crops: 1 words: ")
    assert last == f"{reading / 'card.json'} holds these figures"
    assert run("verify", reading).code == 0


@pytest.mark.slow
def test_measure_as_json_is_one_line_with_the_figures_of_the_card(run: Run, reading: Path) -> None:
    done = run("measure", reading, "--val", reading.parent / "val", "--device", "cpu", "--json")
    row, card = json.loads(done.out), json.loads((reading / "card.json").read_text())
    assert (row["type"], row["schema"], row["weights"]) == ("measured", 1, str(reading))
    assert row["metrics"] == card["metrics"]
    assert "words" not in row["metrics"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        pytest.param(["micro"], 2, "Missing option '--val'", id="without photographs"),
        pytest.param(["huge", "--val", "."], 13, "no weights 'huge'", id="unknown weights"),
        pytest.param(["micro", "--val", "absent"], 2, "no folder absent", id="a set that is missing"),
        pytest.param(
            ["micro", "--val", "a/svt", "--report", "b/svt"], 2, "two sets are called svt", id="twice"
        ),
        pytest.param(["micro", "--val", ".", "--val-crops", "."], 2, "has no recognizer", id="no recognizer"),
        pytest.param(["micro", "--val", ".", "--device", "tpu"], 14, "tpu", id="an unknown device"),
    ],
)
@pytest.mark.usefixtures("shipped")
def test_measure_says_what_is_wrong_and_leaves_the_card_alone(
    run: Run, shipped: Path, arguments: list[str], code: int, message: str
) -> None:
    before = (shipped / "micro" / "card.json").read_bytes()
    done = run("measure", *arguments)
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert (shipped / "micro" / "card.json").read_bytes() == before
