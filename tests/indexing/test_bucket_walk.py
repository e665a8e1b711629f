"""The photographs of a bucket are found by the rules that hold for a folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from bucket_fixtures import NAME, ROOT, LocalBucket
from bucket_runs import URL, index, known, reasons
from gallery_fixtures import MODEL, ColourSpotter, photo_bytes
from indexing_fixtures import counts

from stsearch.errors import UsageError
from stsearch.gallery.gallery import Gallery
from stsearch.indexing.bucket import listed_objects
from stsearch.indexing.indexer import IndexOptions, index_photos
from stsearch.indexing.sources import source_of
from stsearch.indexing.walk import WalkRules
from stsearch.objects.store import Bucket
from stsearch.objects.url import ObjectUrl

TREE = {
    "cup.PNG": photo_bytes("coffee"),
    "2024/door.png": photo_bytes("exit"),
    "2024/copy of door.png": photo_bytes("exit"),
    "2024/rome/é #1%.png": photo_bytes("hotel", blue=1),
    "2024-05/shop.png": photo_bytes("bakery"),
    "upload": photo_bytes("hotel", blue=2),
    "notes.txt": b"text",
    "readme": b"text",
    "damaged.jpg": b"text",
    "empty.jpg": b"",
    ".hidden/a.png": photo_bytes("exit", blue=3),
    ".b.png": photo_bytes("exit", blue=4),
    "@eaDir/c.png": photo_bytes("exit", blue=5),
    "private/d.png": photo_bytes("exit", blue=6),
    "2024/draft-e.png": photo_bytes("exit", blue=7),
    "2024/rome/draft-f.png": photo_bytes("hotel", blue=8),
    ".stsearchignore": b"private/\n",
    "2024/.stsearchignore": b"draft-*\n!draft-f.png\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the photographs of ``TREE``."""
    for name, body in TREE.items():
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return tmp_path / "photos"


@pytest.fixture
def filled(bucket: LocalBucket) -> LocalBucket:
    """Return a bucket with the photographs of ``TREE`` below a prefix, and others beside it."""
    bucket.put({f"photos/{name}": body for name, body in TREE.items()})
    bucket.put({"photos-of-others/a.png": photo_bytes("coffee")})
    return bucket


def contents(place: Path | ObjectUrl, gallery_folder: Path) -> tuple[object, ...]:
    """Return what a run over ``place`` finds and keeps, but for where that is."""
    with Gallery.create(gallery_folder, place, MODEL) as gallery:
        report = index_photos(gallery, ColourSpotter(), IndexOptions(rules=WalkRules(("*-05/",))))
        catalog = gallery.catalog
        words = catalog.text_instances_of(content for _, content in catalog.photos())
        return (
            counts(report),
            dict(report.passed_over),
            [(path, catalog.record_at(path).sha256) for path, _ in catalog.photos()],  # type: ignore[union-attr]  # it was read
            [(path, [each.transcript for each in words[content]]) for path, content in catalog.photos()],
            [(each.file.path, each.reason) for each in catalog.failures()],
        )


def test_a_bucket_and_a_folder_of_the_same_photographs_make_the_same_gallery(
    folder: Path, filled: LocalBucket, tmp_path: Path
) -> None:
    of_folder = contents(folder, tmp_path / "one")
    assert contents(URL, tmp_path / "two") == of_folder
    assert of_folder[0] == {"new": 6, "failed": 2}


def test_a_bucket_is_walked_in_the_order_of_a_folder(folder: Path, filled: LocalBucket) -> None:
    walks = [source_of(place).walk(WalkRules(), lambda _: False) for place in (folder, URL)]
    first, second = ([file.path for file in walk.files] for walk in walks)
    assert first == second
    assert [walk.passed_over for walk in walks] == [{".txt": 1, "": 1}] * 2


def test_only_unknown_objects_without_a_known_ending_are_looked_into(
    bucket: LocalBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    look = Bucket.read_beginning

    def watch(opened: Bucket, key: str, size: int) -> bytes:
        asked.append(key)
        return look(opened, key, size)

    monkeypatch.setattr(Bucket, "read_beginning", watch)
    names = ("a.png", "f3a9", "b.parquet", "c.txt", "d.xyz", "folder/")
    bucket.put({f"photos/{name}": photo_bytes("exit") for name in names[:2]})
    bucket.put({f"photos/{name}": b"data" for name in names[2:5]})
    bucket.put({"photos/folder/": b"", "photos/folder/e.png": photo_bytes("exit")})
    report = index(tmp_path)
    assert sorted(asked) == ["photos/d.xyz", "photos/f3a9"]
    assert (counts(report), report.passed_over) == ({"new": 3}, {".parquet": 1, ".txt": 1, ".xyz": 1})
    asked.clear()
    assert counts(index(tmp_path)) == {"unchanged": 3}
    assert asked == ["photos/d.xyz"]


def test_a_key_that_cannot_be_listed_costs_its_own_folder(two: LocalBucket, tmp_path: Path) -> None:
    two.put({"photos/odd/c.png": photo_bytes("hotel")})
    assert counts(index(tmp_path)) == {"new": 3}
    two.put({"photos/odd//d.png": photo_bytes("hotel"), "photos/2025/e.png": photo_bytes("bakery")})
    assert counts(index(tmp_path)) == {"new": 1, "unchanged": 2, "failed": 1}
    assert known(tmp_path) == ["2024/b.png", "2025/e.png", "a.png", "odd/c.png"]
    assert reasons(tmp_path)["odd/"].startswith("a key there has an empty part")


def test_listed_objects_are_looked_at_alone(two: LocalBucket, tmp_path: Path) -> None:
    two.put({"photos/c.png": photo_bytes("hotel"), "photos/.stsearchignore": b"2024\n"})
    names = [f"{ROOT}/c.png", "2024/b.png", "", "none.png", ROOT]
    listed = listed_objects(names, URL)
    assert listed == ("c.png", "2024/b.png", "none.png")
    report = index(tmp_path, IndexOptions(rules=WalkRules(only=listed)))
    assert (counts(report), report.passed_over) == ({"new": 1, "failed": 1}, {".png": 1})
    assert reasons(tmp_path) == {"none.png": "it is not there"}


@pytest.mark.parametrize("name", ["s3://other/a.png", f"s3://{NAME}/b.png", "../b.png", "/mnt/../a.png"])
def test_listed_objects_of_other_places_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="lies outside"):
        listed_objects([name], URL)


def test_a_list_that_is_separated_otherwise_is_noticed() -> None:
    with pytest.raises(UsageError, match="add --null"):
        listed_objects(["a.png\0b.png"], URL)


def test_an_invalid_ignore_file_costs_its_folder_and_removes_nothing(
    two: LocalBucket, tmp_path: Path
) -> None:
    index(tmp_path)
    two.put({"photos/2024/.stsearchignore": b"!"})
    assert counts(index(tmp_path)) == {"unchanged": 1, "failed": 1}
    assert reasons(tmp_path) == {"2024/": ".stsearchignore: Invalid git pattern: '!'"}
    assert known(tmp_path) == ["2024/b.png", "a.png"]


def test_an_invalid_ignore_file_of_the_prefix_itself_has_to_be_mended(two: LocalBucket) -> None:
    two.put({"photos/.stsearchignore": b"!"})
    with pytest.raises(UsageError, match=f"cannot list {ROOT}: .stsearchignore: Invalid git pattern"):
        source_of(URL).walk(WalkRules(), lambda _: False)


def test_a_whole_bucket_is_indexed(two: LocalBucket, tmp_path: Path) -> None:
    assert counts(index(tmp_path, place=URL.parent)) == {"new": 2}
    assert known(tmp_path) == ["photos/2024/b.png", "photos/a.png"]


def test_what_the_rules_exclude_leaves_though_it_is_all_there_is(two: LocalBucket, tmp_path: Path) -> None:
    index(tmp_path)
    two.put({"photos/.stsearchignore": b"*\n"})
    report = index(tmp_path)
    assert (counts(report), report.vanished, known(tmp_path)) == ({"removed": 2}, None, [])
