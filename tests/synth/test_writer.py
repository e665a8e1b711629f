from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from stsearch.errors import UsageError, WriteError
from stsearch.synth.renderer import load_assets
from stsearch.synth.writer import DatasetOptions, scene_record, write_dataset
from stsearch.types import Scene, WordLabel

SMALL = DatasetOptions(scenes=3, crops=4, seed=5, size=128, difficulty=0.5)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def shape_of(path: Path) -> tuple[int, ...]:
    image = cv2.imread(str(path))
    assert image is not None
    return tuple(image.shape)


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    write_dataset(load_assets(), tmp_path / "one", SMALL)
    write_dataset(load_assets(), tmp_path / "two", SMALL)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


@pytest.mark.slow
def test_two_processes_write_the_bytes_of_one(tmp_path: Path) -> None:
    write_dataset(load_assets(), tmp_path / "one", SMALL)
    write_dataset(load_assets(), tmp_path / "two", DatasetOptions(3, 4, 5, 128, 0.5, jobs=2))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_annotations_name_every_picture_with_its_size(tmp_path: Path) -> None:
    summary = write_dataset(load_assets(), tmp_path, SMALL)
    records = [json.loads(line) for line in (tmp_path / "annotations.jsonl").read_text().splitlines()]
    assert [r["image"] for r in records] == [f"images/scene_00000{i}.jpg" for i in range(3)]
    assert {(r["height"], r["width"]) for r in records} == {(128, 128)}
    assert all(shape_of(tmp_path / r["image"]) == (128, 128, 3) for r in records)
    assert sum(len(r["instances"]) for r in records) == summary.words
    assert sum(i["legible"] for r in records for i in r["instances"]) == summary.legible


def test_progress_names_every_picture_and_the_words_that_can_be_read_on_it(tmp_path: Path) -> None:
    told: list[tuple[int, str, tuple[str, ...]]] = []
    options = DatasetOptions(2, 1, seed=5, size=128, difficulty=0.5)
    write_dataset(load_assets(), tmp_path, options, lambda *step: told.append((*step[:2], tuple(step[2]))))
    assert [(done, path) for done, path, _ in told] == [
        (1, "images/scene_000000.jpg"),
        (2, "images/scene_000001.jpg"),
        (3, "words/word_000000.jpg"),
    ]
    records = [json.loads(line) for line in (tmp_path / "annotations.jsonl").read_text().splitlines()]
    legible = [tuple(i["transcript"] for i in r["instances"] if i["legible"]) for r in records]
    [label] = (tmp_path / "words" / "labels.tsv").read_text().splitlines()
    assert [words for *_, words in told] == [*legible, (label.split("\t")[1],)]


def test_nothing_is_left_of_a_longer_earlier_run(tmp_path: Path) -> None:
    write_dataset(load_assets(), tmp_path / "again", SMALL)
    (tmp_path / "again" / "images" / "scene_of_mine.jpg").write_text("not rendered")
    shorter = DatasetOptions(1, 1, seed=5, size=128, difficulty=0.5)
    for name in ("again", "fresh"):
        write_dataset(load_assets(), tmp_path / name, shorter)
    kept = {"images/scene_of_mine.jpg": b"not rendered"}
    assert contents(tmp_path / "again") == contents(tmp_path / "fresh") | kept


def test_word_crops_have_a_transcript_each(tmp_path: Path) -> None:
    write_dataset(load_assets(), tmp_path, DatasetOptions(scenes=0, crops=5))
    rows = [line.split("\t") for line in (tmp_path / "words" / "labels.tsv").read_text().splitlines()]
    assert [name for name, _ in rows] == [f"word_00000{i}.jpg" for i in range(5)]
    assert all(transcript for _, transcript in rows)
    assert all(cv2.imread(str(tmp_path / "words" / name)) is not None for name, _ in rows)


def test_a_record_is_the_house_format() -> None:
    quad = np.array([(1, 2), (30.126, 2), (30, 12), (1, 12)], np.float32)
    record = scene_record(
        "images/a.jpg", Scene(np.zeros((20, 40, 3), np.uint8), (WordLabel(quad, "EXIT", True),))
    )
    assert record == (
        '{"image": "images/a.jpg", "height": 20, "width": 40, "instances": [{"polygon": '
        '[[1.0, 2.0], [30.13, 2.0], [30.0, 12.0], [1.0, 12.0]], "transcript": "EXIT", "legible": true}]}'
    )


@pytest.mark.parametrize(
    ("scenes", "size", "difficulty", "jobs"),
    [
        pytest.param(0, 640, 1.0, 1, id="nothing"),
        pytest.param(1, 20, 1.0, 1, id="too small"),
        pytest.param(1, 640, 1.5, 1, id="too hard"),
        pytest.param(1, 640, 1.0, 0, id="no process"),
    ],
)
def test_impossible_options_are_refused(scenes: int, size: int, difficulty: float, jobs: int) -> None:
    with pytest.raises(UsageError):
        DatasetOptions(scenes, 0, 0, size, difficulty, jobs)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WriteError, match="file"):
        write_dataset(load_assets(), tmp_path / "file", DatasetOptions(scenes=1, size=64))


def test_the_command_writes_a_data_set_and_a_sheet(tmp_path: Path) -> None:
    import typer

    from stsearch.cli.synth import synth

    app = typer.Typer()
    app.command()(synth)
    options = ["--out", str(tmp_path / "set"), "--scenes", "2", "--seed", "1", "--size", "96"]
    result = CliRunner().invoke(app, [*options, "--crops", "1", "--sheet", str(tmp_path / "sheet.png")])
    assert result.exit_code == 0, result.output
    assert "2 scenes" in result.output
    assert sorted(p.name for p in (tmp_path / "set").iterdir()) == ["annotations.jsonl", "images", "words"]
    assert shape_of(tmp_path / "sheet.png") == (400, 800, 3)
