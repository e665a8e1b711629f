"""url.py: what a URL of object storage names, and how it is used like a path."""

from __future__ import annotations

from pathlib import Path

import pytest

from stsearch.errors import UsageError
from stsearch.objects.url import Location, ObjectUrl, located, resolved

PHOTOS = ObjectUrl("s3", "bucket", "photos")


@pytest.mark.parametrize(
    ("text", "location"),
    [
        ("s3://bucket/photos", PHOTOS),
        ("S3://bucket/photos/", PHOTOS),
        ("s3://bucket", ObjectUrl("s3", "bucket")),
        ("gs://bucket/a b #1?.jpg", ObjectUrl("gs", "bucket", "a b #1?.jpg")),
        ("az://container/2024/%41.jpg", ObjectUrl("az", "container", "2024/%41.jpg")),
        ("photos", Path("photos")),
        ("/mnt/s3:/photos", Path("/mnt/s3:/photos")),
        ("C:/photos", Path("C:/photos")),
        (Path("photos"), Path("photos")),
    ],
)
def test_text_names_a_path_or_an_object(text: str | Path, location: Location) -> None:
    assert located(text) == location


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ftp://host/photos", "of no object storage that is known"),
        ("https://bucket.s3.amazonaws.com/a.jpg", "of no object storage that is known"),
        ("s3://", "names no bucket: write s3://BUCKET/PREFIX"),
        ("s3:///photos", "names no bucket"),
        ("s3://user:secret@host/photos", "names no bucket"),
        ("s3://bucket/a//b", "holds an empty part"),
        ("s3://bucket/a/../b", "holds an empty part, . or .."),
    ],
)
def test_a_url_that_names_nothing_is_refused(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        located(text)


def test_a_url_is_printed_as_it_is_typed_and_linked_with_percent_signs() -> None:
    url = PHOTOS / "2024/a b #1.jpg"
    assert str(url) == "s3://bucket/photos/2024/a b #1.jpg"
    assert url.as_uri() == "s3://bucket/photos/2024/a%20b%20%231.jpg"
    assert located(str(url)) == url


def test_a_url_has_the_parts_of_a_path() -> None:
    url = PHOTOS / "2024/a.b.jpg"
    assert (url.name, url.stem, url.parent) == ("a.b.jpg", "a.b", PHOTOS / "2024")
    assert url.parents == (PHOTOS / "2024", PHOTOS, ObjectUrl("s3", "bucket"))
    assert (PHOTOS.parent.name, PHOTOS.parent.parents) == ("bucket", ())


@pytest.mark.parametrize(
    ("url", "root", "name"),
    [
        (PHOTOS / "2024/a.jpg", PHOTOS, "2024/a.jpg"),
        (PHOTOS / "a.jpg", ObjectUrl("s3", "bucket"), "photos/a.jpg"),
        (PHOTOS, PHOTOS, ""),
        (ObjectUrl("s3", "bucket", "photos2/a.jpg"), PHOTOS, None),
        (ObjectUrl("gs", "bucket", "photos/a.jpg"), PHOTOS, None),
        (PHOTOS, Path("photos"), None),
    ],
)
def test_the_name_below_another_url_is_relative_to_it(
    url: ObjectUrl, root: Location, name: str | None
) -> None:
    assert url.name_below(root) == name


def test_a_url_is_the_same_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert resolved("s3://bucket/photos") == PHOTOS
    assert resolved("photos") == tmp_path / "photos"
