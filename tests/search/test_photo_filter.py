"""photo_filter.py: which paths and moments are admitted, and what dates mean."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest
from gallery_fixtures import LetterEncoder, make_gallery, spotted

from stsearch.errors import UsageError
from stsearch.gallery.records import DatedPhoto, Linked, PhotoFile
from stsearch.objects.url import Location, ObjectUrl
from stsearch.search.engine import SearchOptions, search
from stsearch.search.photo_filter import PhotoFilter, span
from stsearch.search.query import Query


def photo(
    path: str = "a.jpg", taken: str | None = None, mtime: datetime = datetime(2020, 1, 1)
) -> DatedPhoto:
    return DatedPhoto(PhotoFile(path, 1, int(mtime.timestamp() * 1e9)), 1, taken)


@pytest.mark.parametrize(
    ("path", "globs", "is_admitted"),
    [
        ("2024/rome/a.jpg", (), True),
        ("2024/rome/a.jpg", ("2024/*",), True),
        ("2024/rome/a.jpg", ("2024",), True),
        ("2024/rome/a.jpg", ("2024/",), True),
        ("2024/rome/a.jpg", ("*/rome",), True),
        ("2024/rome/a.jpg", ("*.png", "*.jpg"), True),
        ("2024/rome/a.jpg", ("rome",), False),
        ("2024/rome/a.jpg", ("202",), False),
        ("2024/rome/a.jpg", ("*.JPG",), False),
        ("a\udcff\n.jpg", ("a?\n*",), True),
        pytest.param("IMG[1].png", ("IMG[1].png",), True, id="a name that reads like a pattern"),
        pytest.param("IMG1.png", ("IMG[1].png",), True, id="the pattern that it reads like"),
        pytest.param("[2024] rome/a.jpg", ("[2024] rome",), True, id="a folder of such a name"),
        pytest.param("caf\u00e9/a.jpg", ("cafe\u0301/*",), True, id="decomposed for composed"),
        pytest.param("cafe\u0301.jpg", ("caf\u00e9.*",), True, id="composed for decomposed"),
    ],
)
def test_a_path_is_admitted_by_a_glob_for_it_or_for_a_folder_it_lies_in(
    path: str, globs: tuple[str, ...], is_admitted: bool
) -> None:
    assert PhotoFilter(globs).admits(photo(path)) == is_admitted


@pytest.mark.parametrize(
    ("place", "root", "is_admitted"),
    [
        ("/mnt/photos/2024", Path("/mnt/photos"), True),
        ("/mnt/photos", Path("/mnt/photos"), True),
        ("/mnt/photos/2024/*.jpg", Path("/mnt"), False),
        ("/2024/a.jpg", Path("/"), True),
        ("/mnt/photos/2024", Path("/mnt/pho"), False),
        ("s3://bucket/photos/2024/*", ObjectUrl("s3", "bucket", "photos"), True),
        ("s3://bucket/photos/", ObjectUrl("s3", "bucket", "photos"), True),
        ("s3://other/photos/2024/*", ObjectUrl("s3", "bucket", "photos"), False),
    ],
)
def test_a_glob_that_is_an_absolute_path_or_a_url_counts_in_its_own_gallery(
    place: str, root: Location, is_admitted: bool
) -> None:
    chosen = PhotoFilter(("none",), places=(place,)).of_folder(root)
    assert chosen.admits(photo("2024/a.jpg")) == is_admitted


@pytest.mark.parametrize(
    ("date", "taken", "is_admitted"),
    [
        ("2023", "2022-12-31T23:59:59", False),
        ("2023", "2023-01-01T00:00:00", True),
        ("2023", "2023-12-31T23:59:59", True),
        ("2023", "2024-01-01T00:00:00", False),
        ("2024-02", "2024-02-29T10:00:00", True),
        ("2024-02", "2024-03-01T00:00:00", False),
        ("2023-12", "2024-01-01T00:00:00", False),
        ("2024-02-29", "2024-02-29T23:59:59", True),
        ("2024-02-29", "2024-03-01T00:00:00", False),
        ("9999", "9999-12-31T23:59:59", True),
        ("9999-12", "9999-12-31T23:59:59", True),
        ("9999-12-31", "9999-12-31T23:59:59", True),
        ("9999", "9998-12-31T23:59:59", False),
    ],
)
def test_since_and_until_the_same_date_admit_what_was_taken_in_it(
    date: str, taken: str, is_admitted: bool
) -> None:
    first, after = span(date)
    assert PhotoFilter((), first, after).admits(photo(taken=taken)) == is_admitted


def test_without_exif_the_time_of_the_file_counts() -> None:
    only_2023 = PhotoFilter((), *span("2023"))
    assert only_2023.admits(photo(mtime=datetime(2023, 6, 1)))
    assert not only_2023.admits(photo(mtime=datetime(2022, 6, 1)))
    assert not only_2023.admits(photo(taken="2022-06-01T00:00:00", mtime=datetime(2023, 6, 1)))


def test_a_file_of_an_absurd_time_is_of_the_first_moment() -> None:
    absurd = DatedPhoto(PhotoFile("a.jpg", 1, 2**62 * 1000), 1, None)
    assert PhotoFilter().admits(absurd)
    assert not PhotoFilter(since=datetime(1971, 1, 1)).admits(absurd)


@pytest.mark.parametrize("text", ["", "20", "2024-1", "2024-02-30", "0000", "2024-05-17T10:00", "May"])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not a valid date \(.*\): give a year, a month or a day"):
        span(text)


def found(folder: Path, query: str, filter_: PhotoFilter, **options: object) -> Sequence[str]:
    with make_gallery(folder, {"in/a.jpg": ["coffee"], "in/b.jpg": [], "out/c.jpg": ["coffee"]}) as gallery:
        gallery.add([Linked(PhotoFile("out/copy of a.jpg", 1, 1), spotted("in/a.jpg").sha256)])
        chosen = SearchOptions(photos=filter_, **options)  # type: ignore[arg-type]  # few of its fields
        return [hit.path.name for hit in search(gallery, Query(query), LetterEncoder(), chosen)]


def test_a_search_looks_at_admitted_photographs_only(tmp_path: Path) -> None:
    assert found(tmp_path, "coffee", PhotoFilter(("in",))) == ["a.jpg"]
    assert found(tmp_path / "other", "cof*", PhotoFilter(("out",))) == ["c.jpg", "copy of a.jpg"]


def test_the_best_of_the_admitted_are_taken_not_the_admitted_of_the_best(tmp_path: Path) -> None:
    assert found(tmp_path, "coffee", PhotoFilter(("out/c.jpg",)), top=1) == ["c.jpg"]


def test_photographs_without_words_are_ranked_only_if_admitted(tmp_path: Path) -> None:
    assert found(tmp_path, "coffee", PhotoFilter(("in",)), group="photo", blank=True) == ["a.jpg", "b.jpg"]


def test_a_filter_that_admits_nothing_finds_nothing(tmp_path: Path) -> None:
    assert found(tmp_path, "coffee", PhotoFilter(("absent",))) == []
