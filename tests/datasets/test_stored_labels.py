"""Labels of public sets are in stored pixels; what reads them gives displayed ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from dataset_fixtures import SVT, save_matlab, total_text_row, write
from image_fixtures import STORED, save_oriented

from stsearch.datasets.gallery_lists import read_svt
from stsearch.datasets.labelled_folder import read_house
from stsearch.datasets.matlab_labels import read_total_text_outlines
from stsearch.datasets.text_labels import (
    read_coco_text,
    read_ctw1500,
    read_icdar13,
    read_icdar15,
    read_td500,
    read_total_text,
)
from stsearch.geometry.polygons import box, polygon_area
from stsearch.images import read_image
from stsearch.types import Polygon, Sample

WORD = (20, 30, 80, 50)  # left, top, right, bottom in the displayed picture


@pytest.fixture(params=[orientation for orientation in STORED if orientation > 1])
def photo(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a white photograph with a black word, stored as cameras store it."""
    displayed = PIL.Image.new("RGB", (120, 90), "white")
    displayed.paste("black", WORD)
    return save_oriented(displayed, tmp_path / "images" / "img_1.jpg", request.param)


def stored_box(photo: Path) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of the word as a program that ignores EXIF sees it."""
    with PIL.Image.open(photo) as stored:
        rows, columns = np.nonzero(np.asarray(stored.convert("L")) < 128)
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def only_polygon(samples: list[Sample]) -> Polygon:
    ((word,),) = (sample.words for sample in samples)
    return word.polygon


def icdar13(folder: Path, photo: Path) -> list[Sample]:
    line = ", ".join(map(str, stored_box(photo))) + ', "EXIT"'
    write(folder, {"gt/gt_img_1.txt": line})
    return read_icdar13([folder / "gt", folder / "images"])


def svt(folder: Path, photo: Path) -> list[Sample]:
    left, top, right, bottom = stored_box(photo)
    tagged = f'<taggedRectangle height="{bottom - top}" width="{right - left}" x="{left}" y="{top}">'
    begin, end = SVT.index("<taggedRectangle height"), SVT.index("</taggedRectangles>")
    text = SVT[:begin] + tagged + "<tag>EXIT</tag></taggedRectangle>" + SVT[end:]
    write(folder, {"test.xml": text.replace("14_03.jpg", photo.name)})
    return read_svt([folder / "test.xml", folder / "images"])


def td500(folder: Path, photo: Path) -> list[Sample]:
    left, top, right, bottom = stored_box(photo)
    write(folder, {"images/img_1.gt": f"0 0 {left} {top} {right - left} {bottom - top} 0"})
    return read_td500([folder / "images"])


@pytest.mark.parametrize("read", [icdar13, svt, td500])
def test_boxes_of_a_public_set_start_at_the_top_left_of_the_displayed_word(
    tmp_path: Path, photo: Path, read: Callable[[Path, Path], list[Sample]]
) -> None:
    np.testing.assert_allclose(only_polygon(read(tmp_path, photo)), box(*WORD), atol=1e-3)


def stored_corners(photo: Path) -> list[list[int]]:
    left, top, right, bottom = stored_box(photo)
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def icdar15(folder: Path, photo: Path) -> list[Sample]:
    line = ",".join(str(number) for corner in stored_corners(photo) for number in corner) + ",EXIT"
    write(folder, {"gt/gt_img_1.txt": line})
    return read_icdar15([folder / "gt", folder / "images"])


def ctw1500(folder: Path, photo: Path) -> list[Sample]:
    line = ",".join(str(number) for corner in stored_corners(photo) for number in corner) + ",####EXIT"
    write(folder, {"gt/img_1.txt": line})
    return read_ctw1500([folder / "gt", folder / "images"])


def total_text(folder: Path, photo: Path) -> list[Sample]:
    xs, ys = (" ".join(map(str, axis)) for axis in zip(*stored_corners(photo), strict=True))
    line = f"x: [[{xs}]], y: [[{ys}]], ornt: [u'h'], transcriptions: [u'EXIT']"
    write(folder, {"gt/poly_gt_img_1.txt": line})
    return read_total_text([folder / "gt", folder / "images"])


def total_text_for_matlab(folder: Path, photo: Path) -> list[Sample]:
    row = total_text_row(["EXIT"], ["h"])
    row[1], row[3] = (np.array([axis]) for axis in zip(*stored_corners(photo), strict=True))
    save_matlab(folder / "gt/poly_gt_img_1.mat", "polygt", [row])
    return read_total_text_outlines([folder / "gt", folder / "images"])


@pytest.mark.parametrize("read", [icdar15, ctw1500, total_text, total_text_for_matlab])
def test_polygons_of_a_public_set_lie_on_the_displayed_word_and_run_clockwise(
    tmp_path: Path, photo: Path, read: Callable[[Path, Path], list[Sample]]
) -> None:
    polygon = only_polygon(read(tmp_path, photo))
    assert sorted(polygon.tolist()) == sorted(box(*WORD).tolist())
    assert polygon_area(polygon) > 0


@pytest.mark.parametrize(
    ("orientation", "start"),
    [
        pytest.param(2, [20, 30], id="mirrored: the upper edge starts at the other end"),
        pytest.param(3, [80, 50], id="upside down"),
        pytest.param(6, [80, 30], id="a quarter turn clockwise"),
        pytest.param(8, [20, 50], id="a quarter turn counter-clockwise"),
    ],
)
def test_a_polygon_keeps_where_its_owner_says_that_reading_starts(
    tmp_path: Path, orientation: int, start: list[int]
) -> None:
    displayed = PIL.Image.new("RGB", (120, 90), "white")
    displayed.paste("black", WORD)
    photo = save_oriented(displayed, tmp_path / "images" / "img_1.jpg", orientation)
    assert only_polygon(icdar15(tmp_path, photo))[0].tolist() == start


def test_a_tiff_is_turned_by_its_tag_too(tmp_path: Path) -> None:
    displayed = PIL.Image.new("RGB", (120, 90), "white")
    displayed.paste("black", WORD)
    photo = save_oriented(displayed, tmp_path / "images" / "img_1.tif", 6)
    write(tmp_path, {"gt/gt_img_1.txt": '30, 40, 50, 100, "EXIT"'})
    assert read_image(photo).shape == (90, 120, 3)
    assert only_polygon(read_icdar13([tmp_path / "gt", tmp_path / "images"])).tolist() == box(*WORD).tolist()


def test_the_house_format_is_in_displayed_pixels_already(tmp_path: Path, photo: Path) -> None:
    instance = {"polygon": box(*WORD).tolist(), "transcript": "EXIT"}
    row = {"image": f"images/{photo.name}", "instances": [instance]}
    write(tmp_path, {"annotations.jsonl": json.dumps(row)})
    assert only_polygon(read_house(tmp_path)).tolist() == box(*WORD).tolist()


def test_words_of_no_outline_stay_so(tmp_path: Path, photo: Path) -> None:
    write(tmp_path, {"gts/img_1.txt": "Exit\n"})
    samples = read_coco_text([tmp_path / "queries.txt", tmp_path / "gts", photo.parent])
    assert only_polygon(samples).shape == (0, 2)
    assert samples[0].partial
