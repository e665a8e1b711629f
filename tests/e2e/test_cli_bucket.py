"""``stsearch`` with photographs in object storage: commands take their URL, and say what goes wrong."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from bucket_fixtures import NAME, ROOT, LocalBucket, lead_to
from gallery_fixtures import Run, photo_bytes
from scripted_storage import error, scripted_storage


@pytest.fixture
def indexed(run: Run, bucket: LocalBucket) -> LocalBucket:
    """Return a bucket with three photographs, which is indexed."""
    bucket.put(
        {
            "photos/cup.png": photo_bytes("coffee"),
            "photos/2024/door.png": photo_bytes("exit"),
            "photos/2024/inn #1.png": photo_bytes("hotel"),
        }
    )
    assert run("index", ROOT, "-q").code == 0
    return bucket


def test_index_then_search_from_any_folder(run: Run, bucket: LocalBucket) -> None:
    bucket.put({"photos/cup.png": photo_bytes("coffee"), "photos/notes.txt": b"text"})
    done = run("index", ROOT)
    assert done.code == 0
    assert done.out.startswith("1 new, 0 changed, 0 moved, 0 removed, 0 unchanged\nPassed over: 1 .txt.\n")
    assert f"Indexing {ROOT} → " in done.err
    found = run("search", "Coffee")
    assert found.out == f"1.00\t{ROOT}/cup.png\tcoffee\t1,2,20,8\n"
    assert found.err.startswith(f"Searching {ROOT}\n1 hit in 1 photo")


@pytest.mark.usefixtures("indexed")
def test_results_carry_urls(run: Run) -> None:
    assert json.loads(run("search", "hotel", "--json").out)["path"] == f"{ROOT}/2024/inn #1.png"
    assert run("search", "hotel OR exit", "-l").out.splitlines() == [
        f"{ROOT}/2024/door.png",
        f"{ROOT}/2024/inn #1.png",
    ]


@pytest.mark.usefixtures("indexed")
@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--index", ROOT), 3),
        (("--path", "2024"), 2),
        (("--path", "*.png"), 3),
        (("--path", f"{ROOT}/2024/*"), 2),
        (("--path", f"{ROOT}/cup.png"), 1),
        (("--since", "2026", "--until", "2099"), 3),
    ],
)
def test_a_bucket_is_searched_as_a_folder_is(run: Run, options: tuple[str, ...], found: int) -> None:
    assert len(run("search", "coffee OR exit OR hotel", "-l", *options).out.splitlines()) == found


@pytest.mark.usefixtures("indexed")
def test_words_are_listed_of_an_object_a_prefix_and_all(run: Run) -> None:
    assert run("words", f"{ROOT}/cup.png").out == "coffee\t0.80\t1,2,20,8\n"
    assert run("words", f"{ROOT}/2024").out.splitlines() == [
        f"exit\t1\t1\t0.80\t{ROOT}/2024/door.png",
        f"hotel\t1\t1\t0.80\t{ROOT}/2024/inn #1.png",
    ]
    assert len(run("words", ROOT).out.splitlines()) == 3
    assert "is not in the gallery of" in run("words", f"{ROOT}/none.png").err


@pytest.mark.usefixtures("indexed")
def test_status_and_galleries_name_the_url(run: Run) -> None:
    assert f"photographs  3 in {ROOT}\n" in run("status", ROOT).out
    assert run("galleries").out == f"{ROOT}\t3\there\n"
    assert run("verify", ROOT, "--deep").code == 0
    assert run("galleries", "forget", ROOT).code == 0
    assert run("galleries").out == ""


def test_the_command_that_lists_what_could_not_be_read_names_the_url(run: Run, bucket: LocalBucket) -> None:
    bucket.put({"photos/cup.png": photo_bytes("coffee"), "photos/broken.jpg": b"\xff\xd8\xff no picture"})
    done = run("index", ROOT)
    assert done.code == 3
    assert f"(stsearch status {ROOT} --failed)" in done.err
    assert run("status", ROOT, "--failed").out.startswith("broken.jpg\t")


@pytest.mark.usefixtures("indexed")
def test_objects_are_forgotten_by_their_urls(run: Run) -> None:
    assert "Forgot 2 files" in run("forget", f"{ROOT}/2024").err
    assert run("search", "exit").code == 1
    assert run("index", ROOT, "--dry-run").out.splitlines()[:2] == [
        "new\t2024/door.png",
        "new\t2024/inn #1.png",
    ]


@pytest.mark.usefixtures("indexed")
def test_pictures_of_hits_are_fetched(run: Run, tmp_path: Path) -> None:
    done = run("search", "hotel", "--save", tmp_path / "hits", "--sheet", tmp_path / "hits.html")
    assert done.code == 0
    assert [file.name for file in (tmp_path / "hits").iterdir()] == ["001-inn__1.jpg"]
    page = (tmp_path / "hits.html").read_text()
    assert f'href="{ROOT}/2024/inn%20%231.png"' in page
    assert page.count("data:image/jpeg") == 3


def test_a_picture_that_cannot_be_fetched_costs_itself(
    run: Run, indexed: LocalBucket, tmp_path: Path
) -> None:
    indexed.delete("photos/cup.png")
    done = run("search", "coffee OR exit", "--save", tmp_path / "hits")
    assert done.code == 3
    assert f"cannot show {ROOT}/cup.png: it is not there\n" in done.err
    assert [file.name for file in (tmp_path / "hits").iterdir()] == ["001-door.jpg"]


@pytest.mark.usefixtures("indexed")
def test_a_picture_in_a_bucket_is_searched_for(run: Run) -> None:
    assert run("search", "--like", f"{ROOT}/cup.png").out == f"1.00\t{ROOT}/cup.png\tcoffee\t1,2,20,8\n"
    done = run("search", "--like", f"{ROOT}/none.png")
    assert (done.code, done.err.splitlines()[-1]) == (
        2,
        f"error: --like needs a picture of a word: {ROOT}/none.png: it is not there",
    )


@pytest.mark.usefixtures("indexed")
def test_search_asks_nobody_on_the_network(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stsearch.objects.store.Bucket.__init__", None)
    assert run("search", "coffee", "--json").code == 0
    assert run("words", ROOT).code == 0
    assert run("status", ROOT).code == 0


def test_a_listed_object_is_indexed_alone(run: Run, bucket: LocalBucket, tmp_path: Path) -> None:
    bucket.put({f"photos/{name}.png": photo_bytes("exit") for name in "ab"})
    (tmp_path / "list").write_text(f"{ROOT}/b.png\n")
    assert run("index", ROOT, "--files-from", tmp_path / "list").code == 0
    assert run("search", "exit", "-l").out == f"{ROOT}/b.png\n"


def test_a_gallery_of_a_bucket_lies_where_it_is_told_to_and_is_found(
    run: Run, bucket: LocalBucket, tmp_path: Path
) -> None:
    bucket.put({"photos/cup.png": photo_bytes("coffee")})
    assert run("index", ROOT, "--index", tmp_path / "gallery").code == 0
    assert (tmp_path / "gallery" / "catalog.sqlite3").is_file()
    assert run("words", f"{ROOT}/cup.png").code == 0
    assert run("search", "coffee", "--index", ROOT).code == 0


def test_the_same_photographs_in_another_bucket_are_not_read_again(
    run: Run, bucket: LocalBucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put({f"{prefix}/cup.png": photo_bytes("coffee") for prefix in ("photos", "archive")})
    gallery = tmp_path / "gallery"
    run("index", ROOT, "--index", gallery)
    refused = run("index", f"s3://{NAME}/archive", "--index", gallery)
    assert (refused.code, "add --moved" in refused.err) == (2, True)
    monkeypatch.setattr("stsearch.objects.store.Bucket.read", None)
    done = run("index", f"s3://{NAME}/archive", "--index", gallery, "--moved")
    assert done.out.startswith("0 new, 0 changed, 0 moved, 0 removed, 1 unchanged\n")


def test_a_folder_above_another_is_said_to_be_indexed_too(run: Run, indexed: LocalBucket) -> None:
    assert f"{ROOT} is indexed too" in run("index", f"s3://{NAME}").err
    assert f"s3://{NAME} is indexed too" in run("index", f"{ROOT}/2024").err


def test_a_bucket_whose_gallery_was_deleted_and_that_is_empty_now_makes_no_new_one(
    run: Run, indexed: LocalBucket
) -> None:
    gallery = Path(json.loads(run("status", ROOT, "--json").out)["gallery"])
    shutil.rmtree(gallery)
    indexed.delete("photos/cup.png", "photos/2024/door.png", "photos/2024/inn #1.png")
    done = run("index", ROOT)
    assert (done.code, "as if this were another bucket: nothing was made" in done.err) == (3, True)
    assert not gallery.exists()


def test_what_is_left_to_do_is_said_with_the_url_alone(run: Run, indexed: LocalBucket) -> None:
    indexed.put({"photos/new.png": photo_bytes("bakery")})
    assert run("index", ROOT, "--no-read").code == 0
    assert f"1 photo read without the recognizer: stsearch index {ROOT}\n" in run("status", ROOT).out


def test_photographs_are_read_again_on_request(run: Run, indexed: LocalBucket) -> None:
    assert "3 read again" in run("index", ROOT, "--reread").out


def test_a_bucket_that_is_suddenly_empty_ends_with_3_and_keeps_its_words(
    run: Run, indexed: LocalBucket
) -> None:
    indexed.delete("photos/cup.png", "photos/2024/door.png", "photos/2024/inn #1.png")
    done = run("index", ROOT)
    assert done.code == 3
    assert "3 of 3 known photos are missing, as if this were another bucket: nothing was removed" in done.err
    assert run("search", "coffee").code == 0
    assert run("index", ROOT, "--prune").code == 0
    assert run("search", "coffee").code == 1


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s3://none/photos", "error: there is no bucket s3://none: check its name"),
        (f"s3://{NAME}/foto", f"error: there is no object below s3://{NAME}/foto: check its spelling"),
        ("ftp://host/photos", "error: ftp://host/photos is of no object storage that is known"),
        ("s3://", "error: s3:// names no bucket: write s3://BUCKET/PREFIX"),
    ],
)
@pytest.mark.usefixtures("bucket")
def test_a_url_of_nothing_ends_with_2(run: Run, url: str, message: str) -> None:
    done = run("index", url)
    assert (done.code, done.err.splitlines()[-1].startswith(message)) == (2, True)
    assert run("galleries").out == ""


@pytest.mark.usefixtures("indexed")
@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (403, "AccessDenied", f"s3://{NAME} cannot be read: access is denied"),
        (400, "ExpiredToken", f"s3://{NAME} cannot be read: the credentials have expired: sign in again"),
        (301, "PermanentRedirect", f"s3://{NAME} lies in another region: set AWS_REGION to that"),
    ],
)
def test_a_bucket_that_cannot_be_read_ends_with_3_and_keeps_its_words(
    run: Run, monkeypatch: pytest.MonkeyPatch, status: int, code: str, message: str
) -> None:
    with scripted_storage(lambda _: error(status, code)) as endpoint:
        lead_to(endpoint, monkeypatch)
        done = run("index", ROOT, "--prune")
    assert (done.code, done.err.splitlines()[-1]) == (3, f"error: {message}")
    assert "secret" not in done.err
    assert run("search", "coffee").code == 0


def test_without_its_package_a_url_is_answered_with_what_installs_it(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    done = run("index", "s3://elsewhere/photos")
    assert done.code == 2
    assert done.err.endswith("needs a package that is not installed: pip install 'stsearch[objects]'\n")
