"""What a training run tells: what is missing before it begins, each step, the time left, and how it ended."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from train_fixtures import silent

from stsearch.errors import DataError
from stsearch.training.options import TrainOptions
from stsearch.training.train import train
from stsearch.weights.card import read_card


def test_the_end_says_where_the_weights_are_and_what_they_reach(options: TrainOptions) -> None:
    messages: list[str] = []
    train(dataclasses.replace(options, steps=1), lambda progress: messages.append(progress.message))
    place = options.out / "best"
    assert messages[-1].startswith(f"The weights are in {place}. They reach: validation (1 photo, ")


def test_the_end_without_validation_says_where_the_weights_are(options: TrainOptions) -> None:
    messages: list[str] = []
    run = dataclasses.replace(options, steps=1, val=())
    train(run, lambda progress: messages.append(progress.message))
    assert messages[-1] == f"The weights are in {options.out / 'last'}; without --val they were not measured"


def test_a_run_whose_minutes_are_over_keeps_a_step_and_says_how_to_go_on(options: TrainOptions) -> None:
    messages: list[str] = []
    run = dataclasses.replace(options, stage="all", max_minutes=0.0)
    train(run, lambda progress: messages.append(progress.message))
    assert read_card(options.out / "last").training["stages"]["words"]["done"] == 1
    assert any(
        line.startswith("1 of 3 steps of the stage words are done; the same command with --resume")
        for line in messages
    )


def test_every_step_is_reported_and_what_comes_before_the_first(options: TrainOptions) -> None:
    told: list[tuple[int, str]] = []
    train(
        dataclasses.replace(options, max_minutes=60.0),
        lambda progress: told.append((progress.step, progress.at)) if progress.at else None,
    )
    assert told[:4] == [
        (0, "reading the labelled data"),
        (0, "trying how long validation takes"),
        (0, "stage words: preparing its data"),
        (0, "stage words: drawing the first batch"),
    ]
    assert [step for step, at in told if at == "stage words"] == [1, 2, 3]
    assert (0, "validating on 0 of 1 photographs") in told


def test_a_run_with_minutes_knows_the_time_left_from_the_beginning(options: TrainOptions) -> None:
    left: list[float | None] = []
    train(dataclasses.replace(options, max_minutes=60.0), lambda progress: left.append(progress.eta_s))
    assert left[0] == pytest.approx(3600, abs=60)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"data": (Path("no/photos"),)}, "--data: there is no folder no/photos", id="data"),
        pytest.param({"val": (Path("no:weak"),)}, "--val: there is no folder no", id="weak labels"),
        pytest.param({"crops": (Path("no"),)}, "--crops: there is no folder no", id="crops"),
        pytest.param({"val_crops": (Path(),)}, r"--val-crops: there is no labels.tsv in \.", id="labels"),
        pytest.param({"fonts": Path("no")}, "--fonts: there is no folder no", id="fonts"),
        pytest.param({"words": Path("no.tsv")}, r"--words: there is no file no\.tsv", id="words"),
        pytest.param({"config": Path("no.toml")}, r"--config: there is no file no\.toml", id="config"),
    ],
)
def test_what_is_missing_is_refused_before_anything_is_made(
    options: TrainOptions, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        train(dataclasses.replace(options, **changes), silent)
    assert not options.out.exists()
