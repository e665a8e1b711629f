"""The photographs of a bucket are found, read and kept as those of a folder are, and no failure loses any."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import PIL.Image
import pytest
from bucket_fixtures import NAME, LocalBucket, lead_to
from bucket_runs import URL, index, known, reasons
from gallery_fixtures import MODEL, InterruptedSpotter, photo_bytes
from image_fixtures import encode
from indexing_fixtures import counts
from scripted_storage import Answer, Request, error, listing, scripted_storage

from stsearch.errors import PhotosUnreachableError
from stsearch.gallery.gallery import Gallery
from stsearch.gallery.records import PhotoFile
from stsearch.images.files import Content
from stsearch.indexing import sources
from stsearch.indexing.bucket import BucketSource
from stsearch.indexing.dry_run import preview
from stsearch.indexing.indexer import IndexOptions, index_photos
from stsearch.indexing.reader import PhotoReader, ReadLimits
from stsearch.indexing.walk import WalkRules
from stsearch.objects import store
from stsearch.objects.store import Bucket
from stsearch.objects.url import ObjectUrl


def test_an_object_with_the_same_etag_is_not_read_again(
    two: LocalBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert counts(index(tmp_path)) == {"new": 2}
    source = {"Bucket": NAME, "Key": "photos/a.png"}
    two.client.copy_object(**source, CopySource=source, MetadataDirective="REPLACE", Metadata={"as": "new"})
    monkeypatch.setattr(Bucket, "read", None)
    assert counts(index(tmp_path)) == {"unchanged": 2}


def test_what_changed_moved_and_went_is_told_apart(two: LocalBucket, tmp_path: Path) -> None:
    two.put({"photos/c.png": photo_bytes("hotel"), "photos/d.png": photo_bytes("bakery")})
    index(tmp_path)
    two.put({"photos/a.png": photo_bytes("hotel", blue=9), "photos/moved.png": photo_bytes("exit")})
    two.delete("photos/2024/b.png", "photos/d.png")
    with Gallery.open(tmp_path / "gallery") as gallery:
        forecast = preview(URL, gallery, WalkRules())
    assert (forecast.changed, forecast.moved, forecast.removed) == (("a.png",), ("moved.png",), ("d.png",))
    assert counts(index(tmp_path)) == {"changed": 1, "moved": 1, "removed": 1, "unchanged": 1}


def test_an_object_of_the_same_size_is_read_by_a_forecast(two: LocalBucket, tmp_path: Path) -> None:
    index(tmp_path)
    two.put({"photos/a.png": photo_bytes("coffee", blue=1)})
    with Gallery.open(tmp_path / "gallery") as gallery:
        assert preview(URL, gallery, WalkRules()).changed == ("a.png",)


@pytest.mark.parametrize("number", [3, 20])
def test_a_bucket_that_lists_nothing_empties_nothing(
    bucket: LocalBucket, tmp_path: Path, number: int
) -> None:
    bucket.put({f"photos/{i:02}.png": photo_bytes("exit", blue=i) for i in range(number)})
    index(tmp_path)
    bucket.delete(*(f"photos/{i:02}.png" for i in range(number)))
    report = index(tmp_path)
    assert report.vanished is not None
    assert (counts(report), len(known(tmp_path))) == ({}, number)
    assert counts(index(tmp_path, IndexOptions(prune=True))) == {"removed": number}


def test_a_listing_that_ends_half_way_removes_nothing(
    two: LocalBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(tmp_path)
    pages = iter([listing("photos/a.png", more=True), *[error(403, "AccessDenied")] * 9])
    with scripted_storage(lambda _: next(pages)) as endpoint:
        lead_to(endpoint, monkeypatch)
        with pytest.raises(PhotosUnreachableError):
            index(tmp_path, IndexOptions(prune=True))
    assert known(tmp_path) == ["2024/b.png", "a.png"]


def test_a_run_that_was_killed_goes_on(two: LocalBucket, tmp_path: Path) -> None:
    with (
        Gallery.create(tmp_path / "gallery", URL, MODEL) as gallery,
        pytest.raises(KeyboardInterrupt),
    ):
        index_photos(gallery, InterruptedSpotter(), IndexOptions(batch=1))
    assert len(known(tmp_path)) == 1
    assert counts(index(tmp_path)) == {"new": 1, "unchanged": 1}


def before_reading(monkeypatch: pytest.MonkeyPatch, path: str, act: Callable[[], object]) -> None:
    """Let ``act`` happen after the object at ``path`` was listed, and before it is read."""
    read = PhotoReader.read

    def meanwhile(reader: PhotoReader, file: PhotoFile) -> Content:
        if file.path == path:
            act()
        return read(reader, file)

    monkeypatch.setattr(PhotoReader, "read", meanwhile)


def test_an_object_that_is_deleted_after_it_was_listed_costs_itself(
    two: LocalBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_reading(monkeypatch, "a.png", lambda: two.delete("photos/a.png"))
    assert counts(index(tmp_path)) == {"new": 1, "failed": 1}
    assert reasons(tmp_path) == {"a.png": "it is not there"}
    assert counts(index(tmp_path)) == {"unchanged": 1}


def test_an_object_that_changes_after_it_was_listed_is_read_by_the_next_run(
    two: LocalBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        before_reading(patch, "a.png", lambda: two.put({"photos/a.png": photo_bytes("hotel")}))
        assert counts(index(tmp_path)) == {"new": 1, "failed": 1}
    assert reasons(tmp_path) == {"a.png": "it changed while it was read"}
    assert counts(index(tmp_path)) == {"new": 1, "unchanged": 1}


def test_the_words_of_an_object_that_cannot_be_read_again_stay(
    two: LocalBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index(tmp_path)
    two.put({"photos/a.png": photo_bytes("hotel")})
    with monkeypatch.context() as patch:
        before_reading(patch, "a.png", lambda: two.put({"photos/a.png": photo_bytes("bakery")}))
        report = index(tmp_path)
    assert [(each.file.path, each.reason) for each in report.not_reread] == [
        ("a.png", "it changed while it was read")
    ]
    assert (counts(report), known(tmp_path)) == ({"unchanged": 1}, ["2024/b.png", "a.png"])
    assert counts(index(tmp_path)) == {"changed": 1, "unchanged": 1}


def storage_of(objects: Mapping[str, Answer]) -> Callable[[Request], Answer]:
    """Return what a storage answers that holds ``objects``, by their names below the prefix."""

    def answer(request: Request) -> Answer:
        if "list-type" in request.path:
            return listing(*(f"photos/{name}" for name in objects))
        return objects[request.path.partition("/photos/")[2]]

    return answer


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be tried again."""
    monkeypatch.setattr(store, "RETRIES", {"max_retries": 0})


@pytest.mark.usefixtures("quick")
def test_credentials_that_expire_end_the_run_and_are_no_fault_of_a_photo(
    bucket: LocalBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = {f"{i:02}.png": error(400, "ExpiredToken") for i in range(99)}
    with scripted_storage(storage_of(objects)) as endpoint:
        lead_to(endpoint, monkeypatch)
        with pytest.raises(PhotosUnreachableError, match="the credentials have expired"):
            index(tmp_path)
    assert reasons(tmp_path) == {}


@pytest.mark.usefixtures("quick")
def test_a_storage_that_gives_nothing_any_more_ends_the_run(
    bucket: LocalBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = {f"{i:03}.png": error(503, "SlowDown") for i in range(200)}
    with scripted_storage(storage_of(objects)) as endpoint:
        lead_to(endpoint, monkeypatch)
        with pytest.raises(PhotosUnreachableError, match="cannot be read any more: its storage answers"):
            index(tmp_path)


@pytest.mark.usefixtures("quick")
def test_one_object_that_the_storage_does_not_give_costs_itself(
    bucket: LocalBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = Answer(200, photo_bytes("exit"), {"ETag": '"e"'})
    objects = {"a.png": photo, "b.png": error(500, "InternalError"), "c.png": photo}
    with scripted_storage(storage_of(objects)) as endpoint:
        lead_to(endpoint, monkeypatch)
        assert counts(index(tmp_path)) == {"new": 2, "failed": 1}
    assert reasons(tmp_path) == {"b.png": "its storage answers 500 InternalError"}


@pytest.mark.parametrize("descriptors", ["/proc/self/fd", "/nowhere"])
def test_pages_are_decoded_from_a_passing_copy(
    bucket: LocalBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, descriptors: str
) -> None:
    monkeypatch.setattr(sources, "_DESCRIPTORS", Path(descriptors))
    passing = tmp_path / "passing"
    passing.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(passing))
    made: list[Path] = []
    on_disk = BucketSource.on_disk

    def watch(source: BucketSource, file: PhotoFile, content: Content) -> object:
        copy = on_disk(source, file, content)
        made.append(copy.path)
        return copy

    monkeypatch.setattr(BucketSource, "on_disk", watch)
    pages = [PIL.Image.new("RGB", (64, 48), (red, 0, 0)) for red in (5, 25)]
    bucket.put({"photos/scan.tif": encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])})
    report = index(tmp_path)
    assert (counts(report), report.words) == ({"new": 1}, 2)
    gc.collect()
    assert (len(made), list(passing.iterdir())) == (1, [])


def test_what_is_too_large_to_be_kept_is_read_twice(
    two: LocalBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stsearch.indexing.reader._MAX_KEPT", 10)
    assert counts(index(tmp_path)) == {"new": 2}


def test_an_object_above_the_limit_is_refused_without_a_request(
    two: LocalBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Bucket, "read", None)
    assert counts(index(tmp_path, IndexOptions(limits=ReadLimits(max_bytes=9)))) == {"failed": 2}
    assert reasons(tmp_path)["a.png"] == "0 MB; the limit is 0"


def test_an_object_that_takes_too_long_costs_itself(
    two: LocalBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter(range(0, 10**6, 100))
    monkeypatch.setattr("stsearch.indexing.bucket.time.monotonic", lambda: next(times))
    assert counts(index(tmp_path)) == {"failed": 2}
    assert reasons(tmp_path)["a.png"] == "took longer than 60 s to read"


def test_a_run_asks_once_for_each_new_photograph_and_for_the_listing_alone_after_that(
    bucket: LocalBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = {f"{i}.png": Answer(200, photo_bytes("exit", blue=i), {"ETag": '"e"'}) for i in range(5)}
    answer, asked = storage_of(objects), list[str]()

    def count(request: Request) -> Answer:
        asked.append(request.path)
        return answer(request)

    with scripted_storage(count) as endpoint:
        lead_to(endpoint, monkeypatch)
        assert counts(index(tmp_path)) == {"new": 5}
        assert len(asked) == 6
        assert counts(index(tmp_path)) == {"unchanged": 5}
        assert len(asked) == 7


@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_photographs_in_other_storages_are_kept_in_the_same_way(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    obstore = pytest.importorskip("obstore", reason="obstore is missing: pip install 'stsearch[objects]'")
    memory = obstore.store.MemoryStore()
    monkeypatch.setattr(store, "_open", lambda *_: memory)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    store.open_bucket.cache_clear()
    for name, word in (("a.png", "coffee"), ("2024/b.png", "exit"), ("upload", "hotel")):
        obstore.put(memory, f"photos/{name}", photo_bytes(word))
    place = ObjectUrl(scheme, "pictures", "photos")
    assert counts(index(tmp_path, place=place)) == {"new": 3}
    obstore.put(memory, "photos/a.png", photo_bytes("bakery"))
    obstore.delete(memory, "photos/upload")
    assert counts(index(tmp_path, place=place)) == {"changed": 1, "removed": 1, "unchanged": 1}
    store.open_bucket.cache_clear()


def test_without_room_for_a_copy_a_photograph_with_pages_is_refused_for_now(
    bucket: LocalBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = [PIL.Image.new("RGB", (64, 48), (red, 0, 0)) for red in (5, 25)]
    bucket.put({"photos/scan.tif": encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])})
    with monkeypatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
        assert counts(index(tmp_path)) == {"failed": 1}
    [reason] = reasons(tmp_path).values()
    assert reason.startswith(f"there is no room for a copy of it in {tmp_path / 'none'}: ")
    assert counts(index(tmp_path)) == {"new": 1}
