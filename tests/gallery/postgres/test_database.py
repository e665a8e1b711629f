"""database.py, tables.py: what goes wrong with a server is one sentence, with the way out and no password."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from gallery_fixtures import MODEL, Run, spotted
from postgres_server import Server

from stsearch.errors import (
    GalleryNotFoundError,
    GalleryUnreadableError,
    NewerFormatError,
    StsearchError,
    UsageError,
    WriteError,
)
from stsearch.gallery.access import create_gallery, edit_gallery, open_gallery, verify_gallery
from stsearch.gallery.address import DatabaseUrl
from stsearch.gallery.postgres.database import Session
from stsearch.gallery.postgres.schema import MIGRATIONS


def name_of(database: DatabaseUrl) -> str:
    return database.secret.partition("@/")[2].partition("?")[0]


@pytest.fixture
def written(database: DatabaseUrl, tmp_path: Path) -> DatabaseUrl:
    with create_gallery(database, tmp_path, MODEL) as gallery:
        gallery.add([spotted("a.jpg", "coffee")])
    return database


def fails(url: DatabaseUrl) -> StsearchError:
    with pytest.raises(StsearchError) as raised:
        open_gallery(url)
    return raised.value


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://ann:secret@h/db", "postgresql://ann@h/db"),
        ("postgres://ann:se@cr/et?x@h:5/db?sslmode=require", "postgres://ann@h:5/db?sslmode=require"),
        ("postgresql://h/db?password=secret&user=ann", "postgresql://h/db?user=ann"),
        ("postgresql://h/db?user=ann&password=secret", "postgresql://h/db?user=ann"),
        ("postgresql:///db?user=a@b&password=secret@x", "postgresql:///db?user=a@b"),
        ("postgresql://ann@/db?host=/tmp/x", "postgresql://ann@/db?host=/tmp/x"),
    ],
)
def test_a_url_is_shown_without_its_password(text: str, shown: str) -> None:
    assert str(DatabaseUrl(text)) == shown
    assert "secret" not in repr(DatabaseUrl(text))


def test_a_server_that_is_down_cannot_be_reached() -> None:
    error = fails(DatabaseUrl("postgresql://ann:secret@127.0.0.1:1/photos"))
    assert isinstance(error, GalleryUnreadableError)
    assert "postgresql://ann@127.0.0.1:1/photos cannot be reached: connection" in str(error)
    assert "secret" not in str(error)
    assert "password" not in str(error).lower()  # none was asked for
    assert "?." not in str(error)


def test_a_wrong_password_is_refused_and_never_shown(postgres: Server) -> None:
    error = fails(DatabaseUrl(postgres.url_with_password("postgres", "secret")))
    assert isinstance(error, GalleryUnreadableError)
    assert 'password authentication failed for user "postgres"' in str(error)
    assert "PGPASSWORD" in str(error)
    assert (
        "secret"
        not in f"{error}{error.__cause__}{error.__context__ if not error.__suppress_context__ else ''}"
    )


@pytest.mark.parametrize("password", ["p%zz", "pa/ss", "pa:ss@word", "pa#ss"])
def test_a_url_that_cannot_be_understood_is_not_repeated(password: str) -> None:
    error = fails(DatabaseUrl(f"postgresql://ann:{password}@127.0.0.1:1/db"))
    assert password not in str(error)
    assert "ss@" not in str(error)


def test_a_database_that_is_not_there_is_named(postgres: Server) -> None:
    error = fails(DatabaseUrl(postgres.url("nowhere")))
    assert isinstance(error, GalleryNotFoundError)
    place = f"-h {postgres.folder} -p {postgres.port} -U postgres"
    assert str(error).endswith(f"there is no such database; make it with: createdb {place} nowhere")


def test_packages_that_are_missing_are_named_with_the_way_to_get_them() -> None:
    program = """
import sys
sys.modules["psycopg"] = None
from stsearch.cli import app
sys.exit(app.run(app.app, ["status", "postgresql://ann:secret@h/db"]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == UsageError.exit_code
    assert "pip install 'stsearch[postgres]'" in done.stderr
    assert "secret" not in done.stderr


def test_an_extension_that_the_server_has_not_is_named(
    database: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stsearch.gallery.postgres.tables.EXTENSIONS", ("no_such_extension",))
    with pytest.raises(
        GalleryUnreadableError, match=r"has no extension no_such_extension, .* CREATE EXTENSION"
    ):
        create_gallery(database, tmp_path, MODEL)
    with pytest.raises(GalleryNotFoundError):
        open_gallery(database)


def test_tables_of_a_newer_version_are_left_alone(
    written: DatabaseUrl, postgres: Server, tmp_path: Path
) -> None:
    postgres.run("UPDATE stsearch.gallery SET version = 99", name_of(written))
    assert isinstance(fails(written), NewerFormatError)
    for open_to_write in (edit_gallery, lambda url: create_gallery(url, tmp_path, MODEL)):
        with pytest.raises(NewerFormatError, match=r"are of version 99, .* upgrade stsearch"):
            open_to_write(written)


def test_tables_of_an_older_version_are_brought_up_to_date_by_who_may_write(
    written: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = (*MIGRATIONS, "ALTER TABLE contents ADD COLUMN camera text;")
    monkeypatch.setattr("stsearch.gallery.postgres.tables.MIGRATIONS", newer)
    assert "bring them up to version 2 with: stsearch rebuild" in str(fails(written))
    edit_gallery(written).close()
    with open_gallery(written) as gallery:
        assert gallery.status().formats == {"postgresql": 2}
        assert gallery.counts().photos == 1


def test_who_may_only_read_can_search_and_not_write(
    written: DatabaseUrl, postgres: Server, tmp_path: Path
) -> None:
    name = name_of(written)
    reader = f"reader_{name}"
    postgres.run(f"CREATE ROLE {reader} LOGIN")
    postgres.run(f"GRANT USAGE ON SCHEMA stsearch TO {reader}", name)
    postgres.run(f"GRANT SELECT ON ALL TABLES IN SCHEMA stsearch TO {reader}", name)
    url = DatabaseUrl(postgres.url(name, reader))
    with open_gallery(url) as gallery:
        assert gallery.instances().transcripts == ("coffee",)
    with pytest.raises(WriteError, match=r"the user of the database may not do that \(permission denied"):
        create_gallery(url, tmp_path / "other", MODEL)


def test_a_connection_that_is_lost_between_two_batches_is_made_again(
    written: DatabaseUrl, postgres: Server, tmp_path: Path
) -> None:
    notes: list[str] = []
    with create_gallery(written, tmp_path, MODEL, notes.append) as gallery:
        cut_off(postgres, written)
        gallery.add([spotted("b.jpg", "tea")])
        assert gallery.counts().photos == 2
    assert len(notes) == 1
    assert "the connection to" in notes[0]


def test_a_connection_that_is_lost_in_a_batch_stores_it_once(
    written: DatabaseUrl, postgres: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stsearch.gallery.postgres import adding

    cuts = iter([True])

    def cut_once(*arguments: object) -> None:
        unused(*arguments)  # type: ignore[arg-type]  # passed on
        if next(cuts, False):
            cut_off(postgres, written)

    unused = adding.remove_unused
    monkeypatch.setattr(adding, "remove_unused", cut_once)
    with create_gallery(written, tmp_path, MODEL) as gallery:
        gallery.add([spotted("b.jpg", "tea")])
        assert sorted(gallery.instances().transcripts) == ["coffee", "tea"]


def test_what_was_finished_is_stored_after_an_interrupt_in_the_middle_of_a_statement(
    written: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stsearch.gallery.postgres import adding

    def interrupt(session: Session, *_: object) -> None:
        session.pgconn.send_query(b"SELECT 1")  # whose answer nobody takes
        raise KeyboardInterrupt

    with create_gallery(written, tmp_path, MODEL) as gallery:
        with monkeypatch.context() as patch:
            patch.setattr(adding, "remove_unused", interrupt)
            with pytest.raises(KeyboardInterrupt):
                gallery.add([spotted("b.jpg", "tea")])
        gallery.add([spotted("c.jpg", "bar")])
        assert sorted(gallery.instances().transcripts) == ["bar", "coffee"]


def test_a_server_that_stays_away_ends_a_run_with_what_was_done(
    written: DatabaseUrl, tmp_path: Path, postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stsearch.gallery.postgres.database.WRITING_PATIENCE_S", 0.0)
    with create_gallery(written, tmp_path, MODEL) as gallery:
        cut_off(postgres, written)
        with pytest.raises(WriteError, match=r"was lost .* run the same command again"):
            gallery.add([spotted("b.jpg", "tea")])
    with open_gallery(written) as reopened:
        assert reopened.counts().photos == 1


def test_damage_is_found_and_named(written: DatabaseUrl, postgres: Server) -> None:
    name = name_of(written)
    postgres.run("UPDATE stsearch.words SET vector = vector * vector, confidence = 2", name)
    postgres.run("UPDATE stsearch.word_details SET polygon = '\\x00'", name)
    found = [finding.what for finding in verify_gallery(written)]
    assert len(found) == 3
    assert "1 vectors are not of unit length" in found
    postgres.run("DROP INDEX stsearch.words_vector", name)
    postgres.run("UPDATE stsearch.words SET confidence = 1", name)
    assert any("it is missing" in finding.what for finding in verify_gallery(written, deep=True))


def test_errors_have_their_exit_codes(run: Run, database: DatabaseUrl, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    down = "postgresql://ann:secret@127.0.0.1:1/photos"
    for command in (
        ["search", "x", "--index"],
        ["index", tmp_path / "photos", "--index"],
        ["words", "--index"],
        ["verify"],
        ["rebuild"],
        ["status"],
        ["forget", "x", "--index"],
    ):
        done = run(*command, down)
        assert (command, done.code, done.err.count("error: ")) == (command, 12, 1)
        assert "secret" not in done.err
    assert run("search", "x", "--index", database.secret).code == 10
    assert run("search", "x", "--index", "postgresql://ann:p%zz@h/db").code == 2


def cut_off(postgres: Server, database: DatabaseUrl) -> None:
    """End every connection to ``database``, as a server that restarts does."""
    postgres.run(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        f" WHERE datname = '{name_of(database)}' AND pid != pg_backend_pid()"
    )
