"""Every benchmark from a copy on disk to queries, and what is said of a copy that is not whole."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import scipy.io
from dataset_fixtures import SVT, save_matlab, total_text_row, write
from eval_fixtures import write_house_folder
from program import ROOT

from stsearch.errors import DataError
from stsearch.evaluation.benchmark import Benchmark
from stsearch.evaluation.catalogue import BENCHMARKS, with_min_length

QUAD = "10,20,40,20,40,30,10,30,"
COPIES: dict[str, dict[str, str]] = {
    "svt": {"test.xml": SVT, "img/14_03.jpg": ""},
    "ctr": {"queries.txt": "exit\nnever\n", "gts/1.txt": "Exit\n", "images/1.jpg": ""},
    "total-text-mstar": {
        "txt_format/Test/poly_gt_img1.txt": (
            "x: [[1 9 9 1]], y: [[1 1 9 9]], ornt: [u'h'], transcriptions: [u'EXIT']"
        ),
        "Images/Test/img1.jpg": "",
    },
    "ctw1500": {"gt_ctw1500/0001001.txt": f"{QUAD}####Exit", "test_images/1001.jpg": ""},
    "icdar15-mstar": {
        "Challenge4_Test_Task1_GT/gt_img_1.txt": f"{QUAD}Exit",
        "ch4_test_images/img_1.jpg": "",
    },
    "icdar15-tdsl": {"test_gts/gt_img_1.txt": f"{QUAD}Exit\n" * 5, "test_images/img_1.jpg": ""},
    "fdp-phrases": {"text_queries.json": json.dumps({"way out": ["1.jpg"]}), "images/1.jpg": ""},
    "mqtr": {"text_queries.json": json.dumps({"way out": ["1.jpg"]}), "images/1.jpg": ""},
    "icdar13": {
        "Challenge2_Test_Task1_GT/gt_img_1.txt": '1, 1, 9, 9, "Exit"',
        "Challenge2_Test_Task12_Images/img_1.jpg": "",
    },
    "td500": {"test/IMG_1.gt": "0 0 1 1 9 9 0", "test/IMG_1.JPG": ""},
    "total-text-pstr": {"Images/Test/img1.jpg": ""},
    "iiit-str": {"imgDatabase/img_1.jpg": "", "imgDatabase/img_2.jpg": ""},
    "folder": {},
}
ASKED = {
    "svt": ["&", "living"],
    "ctr": ["exit", "never"],
    "fdp-phrases": ["way out"],
    "mqtr": ["way out"],
    "icdar13": [],
    "td500": [],
}


@pytest.fixture
def copy(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[Benchmark, Path]:
    """Return a benchmark by its name, and a copy of it with next to nothing in it."""
    name = str(request.param)
    write(tmp_path, COPIES[name])
    if name == "folder":
        write_house_folder(tmp_path)
    if name == "total-text-pstr":
        (tmp_path / "Polygon").mkdir()
        rows = [total_text_row(["EXIT"], ["h"])] * 4
        save_matlab(tmp_path / "Polygon/Test/poly_gt_img1.mat", "polygt", rows)
    if name == "iiit-str":
        data = {"query": [["exit"]], "images": [["img_1.jpg"]]}
        scipy.io.savemat(tmp_path / "data.mat", {"data": data})
    return BENCHMARKS[name], tmp_path


@pytest.mark.parametrize("copy", sorted(BENCHMARKS), indirect=True)
def test_a_copy_becomes_photographs_and_queries(copy: tuple[Benchmark, Path]) -> None:
    benchmark, folder = copy
    truth = benchmark.load([folder])
    assert truth.queries == ASKED.get(benchmark.name, ["exit"])
    assert truth.samples
    assert all(sample.image.is_relative_to(folder) and sample.image.is_file() for sample in truth.samples)


@pytest.mark.parametrize("name", sorted(set(BENCHMARKS) - {"folder"}))
def test_an_empty_folder_is_told_every_part_and_where_they_are_published(name: str, tmp_path: Path) -> None:
    layout = BENCHMARKS[name].layout
    with pytest.raises(DataError) as error:
        BENCHMARKS[name].load([tmp_path])
    message = str(error.value)
    assert all(part.names[0] in message and part.what in message for part in layout.parts)
    assert layout.published in message
    assert "downloads nothing" in message


def test_only_what_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "img").mkdir()
    with pytest.raises(
        DataError, match=r"no whole copy of svt: there is no test\.xml \(labels\)\. Its owners"
    ):
        BENCHMARKS["svt"].load([tmp_path])
    with pytest.raises(DataError, match="no folder"):
        BENCHMARKS["svt"].load([tmp_path / "absent"])


@pytest.mark.parametrize("copy", ["ctr"], indirect=True)
def test_a_query_that_no_photograph_answers_stays(copy: tuple[Benchmark, Path]) -> None:
    benchmark, folder = copy
    assert benchmark.load([folder]).relevant["never"] == frozenset()


@pytest.mark.parametrize("copy", ["mqtr"], indirect=True)
def test_a_listed_photograph_that_is_missing_is_named(copy: tuple[Benchmark, Path]) -> None:
    benchmark, folder = copy
    (folder / "text_queries.json").write_text('{"way out": ["1.jpg", "2.jpg"]}')
    with pytest.raises(DataError, match=r"not there: 2\.jpg"):
        benchmark.load([folder])
    (folder / "text_queries.json").write_text("{}")
    with pytest.raises(DataError, match="lists no query"):
        benchmark.load([folder])


@pytest.mark.parametrize("copy", ["svt"], indirect=True)
def test_a_published_benchmark_is_one_folder(copy: tuple[Benchmark, Path]) -> None:
    benchmark, folder = copy
    with pytest.raises(DataError, match="svt is one folder: name one, not 2"):
        benchmark.load([folder, folder])


def test_folders_of_ones_own_are_joined(tmp_path: Path) -> None:
    one, other = write_house_folder(tmp_path / "one"), tmp_path / "other"
    shutil.copytree(one, other)
    truth = BENCHMARKS["folder"].load([one, other])
    assert [sample.image for sample in truth.samples] == [one / "1.jpg", other / "1.jpg"]


def test_a_folder_of_ones_own_may_be_partially_labelled(tmp_path: Path) -> None:
    one, other = write_house_folder(tmp_path / "one"), write_house_folder(tmp_path / "other")
    truth = BENCHMARKS["folder"].load([one, Path(f"{other}:partial")])
    assert [(sample.image, sample.partial) for sample in truth.samples] == [
        (one / "1.jpg", False),
        (other / "1.jpg", True),
    ]


@pytest.mark.parametrize("suffix", ["", ":partial"])
def test_a_folder_named_twice_is_refused(tmp_path: Path, suffix: str) -> None:
    folder = write_house_folder(tmp_path / "one")
    with pytest.raises(DataError, match="listed twice"):
        BENCHMARKS["folder"].load([folder, folder / ".." / f"{folder.name}{suffix}"])


def test_a_folder_of_ones_own_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no folder .*absent$"):
        BENCHMARKS["folder"].load([tmp_path / "absent:partial"])


def test_folders_without_a_query_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no readable word of 5 or more"):
        with_min_length(BENCHMARKS["folder"], 5).load([write_house_folder(tmp_path)])


def test_the_readme_names_every_benchmark() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = {name for row in re.findall(r"^\| (`.*?) \|", readme, re.MULTILINE) for name in row.split(", ")}
    assert {f"`{name}`" for name in (*BENCHMARKS, "words", "str")} <= named
