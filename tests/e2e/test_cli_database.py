"""Every command with ``--index postgresql://…``; without a network of weights."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from bucket_fixtures import ROOT, LocalBucket
from gallery_fixtures import OTHER_MODEL, Run, photo_bytes
from postgres_server import PASSWORD, Server

from stsearch.gallery.address import DatabaseUrl
from stsearch.types import ModelInfo

ESCAPED = "not%2Fto%3Abe%40seen"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "2024").mkdir(parents=True)
    (folder / "a.png").write_bytes(photo_bytes("coffee"))
    (folder / "2024" / "b.png").write_bytes(photo_bytes("exit"))
    (folder / "2024" / "copy.png").write_bytes(photo_bytes("exit"))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    return folder


@pytest.fixture
def url(run: Run, photos: Path, database: DatabaseUrl) -> str:
    """Return the URL of a gallery of ``photos``."""
    assert run("index", photos, "--index", database.secret, "--quiet").code == 3
    return database.secret


def test_indexing_again_reads_nothing(run: Run, photos: Path, url: str) -> None:
    done = run("index", photos, "--index", url, "--json")
    report = json.loads(done.out)
    assert (report["unchanged"], report["new"], report["failed"], report["words"]) == (3, 0, 1, 0)
    assert done.code == 3
    assert f"(stsearch status '{DatabaseUrl(url)}' --failed)" in done.err


def test_a_dry_run_says_what_would_be_read_and_changes_nothing(
    run: Run, photos: Path, database: DatabaseUrl
) -> None:
    first = run("index", photos, "--index", database.secret, "--dry-run", "--json")
    assert json.loads(first.out.splitlines()[-1])["new"] == 4
    assert run("status", database.secret).code == 10
    run("index", photos, "--index", database.secret)
    (photos / "new.png").write_bytes(photo_bytes("hotel"))
    again = run("index", photos, "--index", database.secret, "--dry-run", "--json")
    counts = json.loads(again.out.splitlines()[-1])
    assert (counts["new"], counts["unchanged"], counts["removed"]) == (1, 3, 0)


def test_what_is_missing_is_removed_unless_the_folder_seems_to_be_gone(
    run: Run, photos: Path, url: str
) -> None:
    (photos / "2024" / "copy.png").unlink()
    assert json.loads(run("index", photos, "--index", url, "--json").out)["removed"] == 1
    for file in (photos / "a.png", photos / "2024" / "b.png"):
        file.unlink()
    report = json.loads(run("index", photos, "--index", url, "--json").out)
    assert (report["removed"], report["vanished"]["missing"]) == (0, 2)
    assert json.loads(run("index", photos, "--index", url, "--json", "--prune").out)["removed"] == 2


def test_a_search_finds_every_copy_by_its_path(run: Run, photos: Path, url: str) -> None:
    done = run("search", "exit", "--index", url, "--json", "--explain", "--min-score", "0.9")
    hits = [json.loads(line) for line in done.out.splitlines()]
    assert [Path(hit["path"]).name for hit in hits] == ["b.png", "copy.png"]
    assert hits[0]["path"] == str(photos / "2024" / "b.png")
    assert hits[0]["matches"][0]["transcript"] == "exit"


def test_the_environment_names_a_database(
    run: Run, photos: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STSEARCH_INDEX", url)
    assert run("search", "coffee", "-l", "--min-score", "0.9").out == f"{photos / 'a.png'}\n"
    assert json.loads(run("status", "--json").out)["photos"] == 3


def test_queries_from_a_file_and_pictures_are_searched_for(
    run: Run, photos: Path, url: str, tmp_path: Path
) -> None:
    (tmp_path / "queries.txt").write_text("coffee\nexit\nzzz\n")
    done = run("search", "--queries", tmp_path / "queries.txt", "--index", url, "--min-score", "0.9")
    assert "2 of 3 queries matched" in done.err
    (tmp_path / "crop.png").write_bytes(photo_bytes("exit"))
    like = run("search", "--like", tmp_path / "crop.png", "--index", url, "-l", "--min-score", "0.9")
    assert like.out.splitlines() == [str(photos / "2024" / "b.png"), str(photos / "2024" / "copy.png")]


def test_where_nothing_matches_commands_that_match_name_the_database(run: Run, url: str) -> None:
    done = run("search", "coffeeee", "--exact", "--index", url)
    assert done.code == 1
    assert f"--index '{DatabaseUrl(url)}'" in done.err


def test_where_nothing_is_like_the_query_the_words_of_the_database_are_named(run: Run, url: str) -> None:
    done = run("search", "zzzz", "--exact", "--index", url)
    command = done.err.partition("all that were read: ")[2].splitlines()[0]
    assert command == f"stsearch words '{DatabaseUrl(url)}'"
    assert run(*shlex.split(command)[1:]).out.startswith("exit\t")


def test_words_of_a_photo_a_folder_and_the_whole_gallery_are_listed(run: Run, photos: Path, url: str) -> None:
    assert run("words", photos / "a.png", "--index", url).out.startswith("coffee\t")
    assert run("words", photos / "2024", "--index", url).out.startswith("exit\t2\t2\t")
    assert len(run("words", "--index", url).out.splitlines()) == 2
    assert run("words", url).out == run("words", "--index", url).out
    assert run("words", photos / "no.png", "--index", url).code == 2


def test_status_says_what_is_there_and_where(run: Run, photos: Path, url: str) -> None:
    facts = json.loads(run("status", "--index", url, "--json").out)
    assert (facts["photos"], facts["failed"], facts["folder"]) == (3, 1, str(photos))
    assert (facts["gallery"], facts["store"]["kind"]) == (str(DatabaseUrl(url)), "pgvector")
    assert f"3 in {photos}" in run("status", url).out
    assert run("status", url, "--failed").out.startswith("broken.jpg\t")


def test_two_folders_share_a_gallery(run: Run, photos: Path, url: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "c.png").write_bytes(photo_bytes("coffee"))
    assert run("index", other, "--index", url).code == 0
    found = run("search", "coffee", "--index", url, "-l", "--min-score", "0.9").out.splitlines()
    assert found == [str(other / "c.png"), str(photos / "a.png")]
    chosen = run("search", "coffee", "--index", url, "-l", "--path", f"{other}/*").out.splitlines()
    assert chosen == [str(other / "c.png")]


def test_forgotten_photos_are_gone_and_rebuild_says_so(run: Run, photos: Path, url: str) -> None:
    done = run("forget", photos / "2024", "--index", url)
    assert (done.code, "Forgot 2 files" in done.err) == (0, True)
    assert f"stsearch rebuild --index '{DatabaseUrl(url)}'\n" in done.err
    assert run("search", "exit", "--index", url, "--exact").code == 1
    rebuilt = run("rebuild", url)
    assert (rebuilt.code, "1 word." in rebuilt.err) == (0, True)
    assert run("verify", url, "--deep").code == 0


def test_other_weights_are_refused_with_the_way_out(
    run: Run, photos: Path, url: str, model: list[ModelInfo]
) -> None:
    model[0] = OTHER_MODEL
    done = run("index", photos, "--index", url)
    assert done.code == 13
    assert f"stsearch index {photos} --index '{DatabaseUrl(url)}' --reread" in done.err
    assert run("index", photos, "--index", url, "--reread").code == 3
    assert run("search", "exit", "--index", url, "-l", "--min-score", "0.9").code == 0


def test_a_moved_folder_keeps_its_words(run: Run, photos: Path, url: str, tmp_path: Path) -> None:
    photos.rename(tmp_path / "elsewhere" / "photos")
    moved = tmp_path / "elsewhere" / "photos"
    report = json.loads(run("index", moved, "--index", url, "--moved", "--json").out)
    assert (report["unchanged"], report["new"], report["removed"]) == (3, 0, 0)
    assert run("search", "coffee", "--index", url, "-l", "--min-score", "0.9").out == f"{moved / 'a.png'}\n"


def test_a_password_is_never_shown(run: Run, photos: Path, postgres: Server, tmp_path: Path) -> None:
    url = postgres.url_with_password(postgres.new_database(), ESCAPED)
    answers = [
        run("index", photos, "--index", url),
        run("index", photos, "--index", url, "--json"),
        run("index", photos, "--index", url, "--dry-run"),
        run("search", "coffeeee", "--exact", "--index", url),
        run("search", "coffeeee", "--exact", "--json", "--index", url),
        run("status", url),
        run("status", url, "--json"),
        run("verify", url),
        run("rebuild", url),
        run("forget", photos / "no", "--index", url),
    ]
    assert [done.code for done in answers] == [3, 3, 0, 1, 1, 0, 0, 0, 0, 2]
    shown = "".join(done.out + done.err for done in answers)
    assert "127.0.0.1" in shown
    assert ESCAPED not in shown
    assert PASSWORD not in shown


def test_objects_are_known_by_their_stamps_whatever_their_dates(
    run: Run, bucket: LocalBucket, database: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = {"photos/a.png": photo_bytes("coffee"), "photos/b.png": photo_bytes("exit")}
    bucket.put(objects)
    command = ("index", ROOT, "--index", database.secret, "--json")
    assert json.loads(run(*command).out)["new"] == 2
    rows(database, "UPDATE files SET mtime_ns = mtime_ns - 1000")
    with monkeypatch.context() as patched:
        patched.setattr("stsearch.objects.store.Bucket.read", None)  # nothing is asked for
        assert json.loads(run(*command).out)["unchanged"] == 2
    rows(database, "UPDATE files SET stamp = 'another' WHERE path = 'a.png'")
    again = json.loads(run(*command).out)
    assert (again["new"], again["unchanged"], again["failed"]) == (0, 2, 0)  # read, and of the same bytes
    assert rows(database, "SELECT count(DISTINCT stamp) FROM files WHERE stamp != 'another'") == [(2,)]


def rows(url: DatabaseUrl, statement: str) -> list[tuple[object, ...]]:
    """Run a statement behind the back of the program, and return what it finds."""
    import psycopg

    with psycopg.connect(url.secret, options="-c search_path=stsearch", autocommit=True) as connection:
        done = connection.execute(statement.encode())
        return done.fetchall() if done.description else []
