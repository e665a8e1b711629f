"""What the readers promise about folders of labelled photographs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from stsearch.datasets.labelled_folder import (
    LabelledFolder,
    parse_labelled_folder,
    read_dataset,
    read_house,
    read_unlabelled,
    read_words,
)
from stsearch.errors import DataError

SQUARE = [[0, 0], [10, 0], [10, 5], [0, 5]]


def write_folder(folder: Path, *instances: object, image: str = "images/a.jpg") -> Path:
    """Write a folder with one photograph (its pixels are never read) and return it."""
    (folder / "images").mkdir(parents=True)
    (folder / "images/a.jpg").touch()
    row = {"image": image, "height": 20, "width": 30, "instances": instances}
    (folder / "annotations.jsonl").write_text(json.dumps(row) + "\n")
    return folder


def test_read_house_returns_photographs_with_their_words(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set", {"polygon": SQUARE, "transcript": "EXIT", "legible": True})
    (sample,) = read_house(folder)
    (word,) = sample.words
    assert (sample.image, sample.partial) == (folder / "images/a.jpg", False)
    assert (word.transcript, word.legible) == ("EXIT", True)
    assert word.polygon.dtype == np.float32
    assert word.polygon.tolist() == SQUARE


def test_a_null_transcript_reads_as_empty(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set", {"polygon": SQUARE, "transcript": None, "legible": False})
    (word,) = read_house(folder)[0].words
    assert (word.transcript, word.legible) == ("", False)


def test_a_photograph_may_hold_no_word(tmp_path: Path) -> None:
    assert read_house(write_folder(tmp_path / "set"))[0].words == ()


def test_partial_reaches_every_sample(tmp_path: Path) -> None:
    assert read_house(write_folder(tmp_path / "set"), partial=True)[0].partial


def test_weak_labels_are_dont_care_and_partial(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set", {"polygon": SQUARE, "transcript": None, "legible": True})
    (sample,) = read_house(folder, weak=True)
    assert (sample.partial, sample.words[0].legible) == (True, False)


@pytest.mark.parametrize(
    ("suffix", "partial", "legible"),
    [("", False, True), (":partial", True, True), (":weak", True, False)],
)
def test_the_name_of_a_folder_says_how_far_its_labels_can_be_trusted(
    tmp_path: Path, suffix: str, partial: bool, legible: bool
) -> None:
    folder = write_folder(tmp_path / "svt", {"polygon": SQUARE, "transcript": "EXIT", "legible": True})
    for named in (Path(f"{folder}{suffix}"), Path(f"{folder}/{suffix}")):  # as completion leaves it, too
        (sample,) = read_dataset(named)
        assert (sample.partial, sample.words[0].legible) == (partial, legible)
        assert sample.image == folder / "images/a.jpg"


@pytest.mark.parametrize(
    ("field", "partial", "legible"),
    [
        pytest.param({}, False, True, id="complete"),
        pytest.param({"partial": False, "weak": False}, False, True, id="said to be complete"),
        pytest.param({"partial": True}, True, True, id="partial"),
        pytest.param({"weak": True}, True, False, id="weak"),
    ],
)
def test_a_line_says_how_far_its_labels_can_be_trusted(
    tmp_path: Path, field: dict[str, bool], partial: bool, legible: bool
) -> None:
    folder = write_folder(tmp_path / "set", {"polygon": SQUARE, "transcript": "EXIT"})
    row = json.loads((folder / "annotations.jsonl").read_text())
    lines = [json.dumps(row | field), json.dumps(row)]
    (folder / "annotations.jsonl").write_text("\n".join(lines))
    marked, complete = read_dataset(folder)
    assert (marked.partial, marked.words[0].legible) == (partial, legible)
    assert (complete.partial, complete.words[0].legible) == (False, True)


def test_a_folder_whose_real_name_ends_in_a_trust_is_read_as_it_is(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "svt:partial", {"polygon": SQUARE, "transcript": "EXIT"})
    assert parse_labelled_folder(folder) == LabelledFolder(folder)
    assert not read_dataset(folder)[0].partial


def test_an_unknown_trust_lists_the_known_ones(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "svt")
    with pytest.raises(DataError, match=r"svt:most: labels are partial or weak, not 'most'; name .*svt:weak"):
        read_dataset(Path(f"{folder}:most"))


@pytest.mark.parametrize("name", ["absent", "absent:partial", "absent:most", "a:b/absent"])
def test_a_folder_that_is_missing_is_named_with_and_without_a_trust(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"no folder .*absent"):
        read_dataset(tmp_path / name)


@pytest.mark.parametrize("field", ["partial", "weak"])
def test_a_trust_that_is_neither_true_nor_false_names_the_line(tmp_path: Path, field: str) -> None:
    folder = write_folder(tmp_path / "set")
    row = json.loads((folder / "annotations.jsonl").read_text())
    (folder / "annotations.jsonl").write_text(json.dumps(row | {field: "yes"}))
    with pytest.raises(DataError, match=rf"annotations\.jsonl:1: {field} is neither true nor false: 'yes'"):
        read_dataset(folder)


@pytest.mark.parametrize(
    ("instance", "reason"),
    [
        pytest.param({"transcript": "A", "legible": True}, "no field 'polygon'", id="no polygon"),
        pytest.param({"polygon": SQUARE, "legible": True}, "no field 'transcript'", id="no transcript"),
        pytest.param({"polygon": [[0, 0], [1, 1]], "transcript": "A"}, "three or more", id="two points"),
        pytest.param({"polygon": [[0, 0], [1], [2, 2]], "transcript": "A"}, "inhomogeneous", id="ragged"),
        pytest.param({"polygon": [[0, 0], [1, 1], [2, float("nan")]], "transcript": "A"}, "finite", id="nan"),
        pytest.param({"polygon": SQUARE, "transcript": 7}, "neither text nor null", id="number"),
        pytest.param({"polygon": SQUARE, "transcript": "A", "legible": "yes"}, "neither true nor", id="flag"),
        pytest.param("EXIT", "indices", id="not an object"),
    ],
)
def test_a_malformed_instance_names_the_file_and_the_line(
    tmp_path: Path, instance: object, reason: str
) -> None:
    folder = write_folder(tmp_path / "set", instance)
    with pytest.raises(DataError, match=rf"annotations\.jsonl:1: .*{reason}"):
        read_house(folder)


def test_a_line_that_is_not_json_names_the_file_and_the_line(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set")
    with (folder / "annotations.jsonl").open("a") as file:
        file.write("\n{oops\n")
    with pytest.raises(DataError, match=r"annotations\.jsonl:3: "):
        read_house(folder)


def test_a_line_that_is_nested_deeply_names_the_file_and_the_line(tmp_path: Path) -> None:
    (tmp_path / "annotations.jsonl").write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(DataError, match=r"annotations\.jsonl:1: it is nested too deeply"):
        read_house(tmp_path)


def test_a_photograph_that_is_missing_is_named(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "set", image="images/b.jpg")
    with pytest.raises(DataError, match=r"annotations\.jsonl:1: no photograph .*b\.jpg"):
        read_house(folder)


def test_missing_and_empty_folders_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder"):
        read_house(tmp_path / "absent")
    with pytest.raises(DataError, match=r"no annotations\.jsonl in"):
        read_house(tmp_path)
    (tmp_path / "annotations.jsonl").write_text("\n")
    with pytest.raises(DataError, match="nothing is labelled"):
        read_house(tmp_path)


def test_read_words_keeps_tabs_spaces_and_odd_line_separators_of_a_transcript(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / "labels.tsv").write_bytes("\ufeffa.jpg\tOpen 24\u2028hours\tnow \r\n".encode())
    assert read_words(tmp_path) == [(tmp_path / "a.jpg", "Open 24\u2028hours\tnow ")]


def test_read_words_names_a_line_without_a_tab(tmp_path: Path) -> None:
    (tmp_path / "labels.tsv").write_text("a.jpg EXIT\n")
    with pytest.raises(DataError, match=r"labels\.tsv:1: "):
        read_words(tmp_path)


def test_read_words_names_a_crop_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "labels.tsv").write_text("a.jpg\tEXIT\n")
    with pytest.raises(DataError, match=r"labels\.tsv:1: no crop .*a\.jpg"):
        read_words(tmp_path)


def test_labels_that_are_not_utf8_are_named(tmp_path: Path) -> None:
    (tmp_path / "labels.tsv").write_bytes(b"a.jpg\t\xff\n")
    with pytest.raises(DataError, match=r"labels\.tsv: .*utf-8"):
        read_words(tmp_path)


def test_read_unlabelled_returns_photographs_sorted_and_nothing_else(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "notes.txt"):
        (tmp_path / name).touch()
    assert read_unlabelled(tmp_path) == [tmp_path / "a.png", tmp_path / "b.JPG"]


def test_read_unlabelled_refuses_a_folder_without_photographs(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder"):
        read_unlabelled(tmp_path / "absent")
    with pytest.raises(DataError, match="holds no photograph"):
        read_unlabelled(tmp_path)
