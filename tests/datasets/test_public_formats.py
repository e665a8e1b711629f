"""Every label format, written by the test as its owners write it, and read to known answers."""

from __future__ import annotations

import json
import os
import pickle  # noqa: TID251 - what is written here must not be opened by what is tested
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from dataset_fixtures import SVT, save_matlab, total_text_row, write

from stsearch.datasets.gallery_lists import read_gallery, read_query_lists, read_svt
from stsearch.datasets.layout import check_present
from stsearch.datasets.matlab_labels import read_iiit_queries, read_total_text_outlines
from stsearch.datasets.text_labels import (
    read_coco_text,
    read_ctw1500,
    read_icdar13,
    read_icdar15,
    read_lines,
    read_td500,
    read_total_text,
)
from stsearch.errors import DataError
from stsearch.types import Sample

BOX = [[10, 20], [40, 20], [40, 30], [10, 30]]
BOM = "\ufeff"


def words(sample: Sample) -> list[tuple[str, bool]]:
    return [(word.transcript, word.legible) for word in sample.words]


def one(samples: Sequence[Sample]) -> Sample:
    (sample,) = samples
    return sample


def test_icdar15_with_byte_order_mark_commas_and_dont_care(tmp_path: Path) -> None:
    lines = f"{BOM}10,20,40,20,40,30,10,30,Joe's, Bar\r\n1,1,9,1,9,9,1,9,###\r\n"
    write(tmp_path, {"gt/gt_img_1.txt": lines, "images/img_1.jpg": "", "images/img_2.jpg": ""})
    sample = one(read_icdar15([tmp_path / "gt", tmp_path / "images"]))
    assert sample.image == tmp_path / "images/img_1.jpg"
    assert words(sample) == [("Joe's, Bar", True), ("###", False)]
    assert sample.words[0].polygon.tolist() == BOX


def test_icdar15_photographs_without_a_word_stay_in_the_gallery(tmp_path: Path) -> None:
    write(tmp_path, {"gt/gt_img_1.txt": "\n", "images/img_1.jpg": ""})
    assert one(read_icdar15([tmp_path / "gt", tmp_path / "images"])).words == ()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param("10,20,40,20,EXIT", "4 coordinates instead of 8", id="a box"),
        pytest.param("10,20,40,20,40,30,10,x,EXIT", "could not convert", id="a letter"),
    ],
)
def test_a_malformed_icdar15_line_is_named(tmp_path: Path, line: str, reason: str) -> None:
    write(tmp_path, {"gt/gt_img_1.txt": line, "images/img_1.jpg": ""})
    with pytest.raises(DataError, match=rf"gt_img_1\.txt:1: {reason}"):
        read_icdar15([tmp_path / "gt", tmp_path / "images"])


def test_icdar13_with_quotes_and_commas(tmp_path: Path) -> None:
    lines = '10, 20, 40, 30, "Say "Hi", now"\r\n10 20 40 30 "Open"\n'
    write(tmp_path, {"gt/gt_img_1.txt": lines, "images/img_1.jpg": ""})
    sample = one(read_icdar13([tmp_path / "gt", tmp_path / "images"]))
    assert words(sample) == [('Say "Hi", now', True), ("Open", True)]
    assert sample.words[0].polygon.tolist() == BOX


def test_a_malformed_icdar13_line_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"gt/gt_img_1.txt": "10, 20, 40", "images/img_1.jpg": ""})
    with pytest.raises(DataError, match=r"gt_img_1\.txt:1: not left, top"):
        read_icdar13([tmp_path / "gt", tmp_path / "images"])


def test_ctw1500_files_carry_leading_zeros_and_lines_of_any_number_of_points(tmp_path: Path) -> None:
    lines = "10,20,25,20,40,20,40,30,25,30,10,30,####Joe's, Bar ####1\n"
    lines += "10,20,40,20,40,30,####\n1,1,9,1,9,9,#####\n"
    write(tmp_path, {"gt/0001001.txt": lines, "images/1001.jpg": ""})
    sample = one(read_ctw1500([tmp_path / "gt", tmp_path / "images"]))
    assert sample.image.name == "1001.jpg"
    assert words(sample) == [("Joe's, Bar ####1", True), ("", True), ("#", False)]
    assert [len(word.polygon) for word in sample.words] == [6, 3, 3]


@pytest.mark.parametrize("line", ["1,1,9,1,9,9,EXIT", "1,1,9,1,9,####EXIT"])
def test_a_malformed_ctw1500_line_is_named(tmp_path: Path, line: str) -> None:
    write(tmp_path, {"gt/0001001.txt": line, "images/1001.jpg": ""})
    with pytest.raises(DataError, match=r"0001001\.txt:1: "):
        read_ctw1500([tmp_path / "gt", tmp_path / "images"])


def test_total_text_as_text_with_both_quotes_escapes_and_broken_lines(tmp_path: Path) -> None:
    lines = (
        "x: [[10 40 40 10]], y: [[20 20 30 30]], ornt: [u'h'], transcriptions: [u'EXIT']\n"
        "x: [[10 40\n 40 10]], y: [[20 20\n 30 30]], ornt: [u'c'], transcriptions: [u\"Joe's\"]\n"
        "x: [[10 40 40 10]], y: [[20 20 30 30]], ornt: [u'h'], transcriptions: [u'caf\\xe9']\n"
        "x: [[10 40 40 10]], y: [[20 20 30 30]], ornt: [u'#'], transcriptions: [u'#']\n"
    )
    write(tmp_path, {"gt/poly_gt_img1.txt": lines, "images/img1.JPG": ""})
    sample = one(read_total_text([tmp_path / "gt", tmp_path / "images"]))
    assert words(sample) == [("EXIT", True), ("Joe's", True), ("café", True), ("#", False)]
    assert [word.polygon.tolist() for word in sample.words] == [BOX] * 4


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("x: [[1 2 3]], y: [[1 2]], ornt: [u'h'], transcriptions: [u'EXIT']", "zip"),
        ("x: 1, y: 2, ornt: [u'h'], transcriptions: [u'EXIT']", "1 labels, 0 of them understood"),
    ],
)
def test_a_malformed_total_text_label_is_named(tmp_path: Path, line: str, reason: str) -> None:
    write(tmp_path, {"gt/poly_gt_img1.txt": line, "images/img1.jpg": ""})
    with pytest.raises(DataError, match=rf"poly_gt_img1\.txt: {reason}"):
        read_total_text([tmp_path / "gt", tmp_path / "images"])


def test_total_text_for_matlab(tmp_path: Path) -> None:
    rows = [
        total_text_row(["EXIT"], ["h"]),
        total_text_row(["#"], ["#"]),
        total_text_row([], ["c"]),
        total_text_row(["24h"], []),
    ]
    save_matlab(tmp_path / "gt/poly_gt_img1.mat", "polygt", rows)
    write(tmp_path, {"images/img1.jpg": ""})
    sample = one(read_total_text_outlines([tmp_path / "gt", tmp_path / "images"]))
    assert words(sample) == [("EXIT", True), ("#", False), ("", False), ("24h", False)]
    assert sample.words[0].polygon.tolist() == BOX


@pytest.mark.parametrize(
    ("name", "row", "reason"),
    [
        ("polygt", ["x:", 1], r"polygt\(1\)"),
        ("other", ["x:", 1], "holds no polygt"),
    ],
)
def test_a_malformed_matlab_file_is_named(tmp_path: Path, name: str, row: list[object], reason: str) -> None:
    save_matlab(tmp_path / "gt/poly_gt_img1.mat", name, [row])
    write(tmp_path, {"images/img1.jpg": ""})
    with pytest.raises(DataError, match=rf"poly_gt_img1\.mat.*{reason}"):
        read_total_text_outlines([tmp_path / "gt", tmp_path / "images"])


def test_a_file_that_is_not_of_matlab_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"data.mat": "EXIT"})
    with pytest.raises(DataError, match=r"data\.mat is no MATLAB file"):
        read_iiit_queries(tmp_path / "data.mat")


def test_without_scipy_the_extra_that_brings_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(DataError, match=r"data\.mat is a MATLAB file: .*stsearch\[benchmarks\]"):
        read_iiit_queries(tmp_path / "data.mat")


def test_iiit_queries_name_photographs(tmp_path: Path) -> None:
    data = np.empty((1, 2), dtype=[("query", object), ("images", object)])
    for place, (query, names) in enumerate([("Coffee", ["img_2.jpg", "img_1.jpg"]), ("taxi", ["img_3.jpg"])]):
        images = np.empty((len(names), 1), dtype=object)
        images[:, 0] = names
        word = np.empty((1, 1), dtype=object)
        word[0, 0] = query
        data[0, place] = (word, images)
    scipy.io.savemat(tmp_path / "data.mat", {"data": data})
    loaded = scipy.io.loadmat(tmp_path / "data.mat")["data"]
    # The two expressions by which published code reads the file: the fixture is nested as the original is.
    assert loaded[0, 0][0][0][0][0] == "Coffee"
    assert loaded[0, 0][1][1][0][0] == "img_1.jpg"
    assert read_iiit_queries(tmp_path / "data.mat") == {
        "coffee": ["img_2.jpg", "img_1.jpg"],
        "taxi": ["img_3.jpg"],
    }


def test_iiit_queries_that_are_something_else_are_named(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "data.mat", {"data": np.arange(3)})
    with pytest.raises(DataError, match="not a list of queries"):
        read_iiit_queries(tmp_path / "data.mat")


def test_svt_keeps_every_tag(tmp_path: Path) -> None:
    write(tmp_path, {"test.xml": SVT, "img/14_03.jpg": "", "img/00_00.jpg": ""})
    sample = one(read_svt([tmp_path / "test.xml", tmp_path / "img"]))
    assert (sample.image, sample.partial) == (tmp_path / "img/14_03.jpg", True)
    assert words(sample) == [("LIVING", True), ("&", True)]
    assert sample.words[0].polygon.tolist() == BOX


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("<tag>LIVING</tag>", "", "<taggedRectangle> without a <tag>"),
        ("</tagset>", "", "no element found"),
        ('height="10"', "", "height"),
    ],
)
def test_a_malformed_svt_file_is_named(tmp_path: Path, old: str, new: str, reason: str) -> None:
    write(tmp_path, {"test.xml": SVT.replace(old, new), "img/14_03.jpg": ""})
    with pytest.raises(DataError, match=rf"test\.xml: .*{reason}"):
        read_svt([tmp_path / "test.xml", tmp_path / "img"])


def test_td500_boxes_are_turned_about_their_centre(tmp_path: Path) -> None:
    lines = "0 0 10 20 30 10 0\n1 1 10 20 30 10 1.5707963\n"
    write(tmp_path, {"test/IMG_0059.gt": lines, "test/IMG_0059.JPG": ""})
    sample = one(read_td500([tmp_path / "test"]))
    assert words(sample) == [("", True), ("", False)]
    assert sample.words[0].polygon.tolist() == BOX
    turned = [[30, 10], [30, 40], [20, 40], [20, 10]]
    np.testing.assert_allclose(sample.words[1].polygon, turned, atol=1e-4)


def test_coco_text_words_are_nowhere(tmp_path: Path) -> None:
    write(tmp_path, {"gts/COCO_1.txt": "Exit\nOpen 24\n", "images/COCO_1.jpg": ""})
    sample = one(read_coco_text([tmp_path / "queries.txt", tmp_path / "gts", tmp_path / "images"]))
    assert (words(sample), sample.partial) == ([("Exit", True), ("Open 24", True)], True)
    assert sample.words[0].polygon.shape == (0, 2)


def test_a_list_of_queries_is_stripped(tmp_path: Path) -> None:
    assert read_lines(write(tmp_path, {"q.txt": "exit \n\nopen\r\n"}) / "q.txt") == ["exit", "open"]


def test_phrases_come_with_the_names_of_their_photographs(tmp_path: Path) -> None:
    write(tmp_path, {"q.json": json.dumps({"stop sign": ["b.jpg", "a.jpg"]}), "images/a.jpg": ""})
    assert read_query_lists(tmp_path / "q.json") == {"stop sign": ["b.jpg", "a.jpg"]}
    sample = one(read_gallery([tmp_path / "q.json", tmp_path / "images"]))
    assert (sample.image.name, sample.words, sample.partial) == ("a.jpg", (), True)


@pytest.mark.parametrize("text", ['["a"]', '{"a": "b.jpg"}', "{"])
def test_malformed_phrases_are_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match=r"q\.json: "):
        read_query_lists(write(tmp_path, {"q.json": text}) / "q.json")


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickled_phrases_are_read_as_numpy_saves_them(tmp_path: Path, protocol: int) -> None:
    phrases = {"stop sign": ["a.jpg", "b.jpg"], "no entry": ["a.jpg"], "café": []}
    path = save_pickled(tmp_path, phrases, protocol)
    assert np.load(path, allow_pickle=True).item() == phrases  # the fixture is what numpy takes it for
    assert read_query_lists(path) == phrases
    np.save(path, np.array(phrases, dtype=object), allow_pickle=True)
    assert read_query_lists(path) == phrases


class Explosive:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("burnt",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param({"a": [Explosive()]}, "no lists of photographs", id="what runs when it is opened"),
        pytest.param({"a": "b.jpg"}, "no lists of photographs", id="no list"),
        pytest.param(["a"], "no lists of photographs", id="no dictionary"),
        pytest.param({"a": {1, 2}}, "instruction EMPTY_SET", id="a set"),
    ],
)
def test_of_a_pickle_nothing_but_lists_is_taken_and_nothing_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: object, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = save_pickled(tmp_path, content, 4)
    with pytest.raises(DataError, match=rf"query_image_dict\.npy: .*{message}"):
        read_query_lists(path)
    assert not (tmp_path / "burnt").exists()


def test_a_pickle_that_is_cut_or_something_else_is_named(tmp_path: Path) -> None:
    whole = save_pickled(tmp_path, {"stop sign": ["a.jpg"]}, 4).read_bytes()
    path = tmp_path / "query_image_dict.npy"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"query_image_dict\.npy: "):
            read_query_lists(path)
    np.save(path, np.zeros(3))
    with pytest.raises(DataError, match="it holds float64, not lists of photographs"):
        read_query_lists(path)


def save_pickled(folder: Path, content: object, protocol: int) -> Path:
    """Write what ``numpy.save`` writes for one object, in any protocol of pickle."""
    path = folder / "query_image_dict.npy"
    array = np.empty((), dtype=object)
    array[()] = content
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        pickle.dump(array, file, protocol)
    return path


@pytest.mark.parametrize("read", [read_icdar15, read_total_text_outlines])
def test_a_folder_without_labels_is_named(
    tmp_path: Path, read: Callable[[Sequence[Path]], list[Sample]]
) -> None:
    with pytest.raises(DataError, match="holds no labels"):
        read([tmp_path, tmp_path])


def test_of_many_missing_photographs_the_first_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not there: 0, 1, 2, 3, 4 and 2 more$"):
        check_present("0123456", {}, tmp_path)
    with pytest.raises(DataError, match=r"not there: a$"):
        check_present("ab", {"b": tmp_path}, tmp_path)
