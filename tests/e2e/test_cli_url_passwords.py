"""A URL with a password, given to every command where it may be meant: no answer shows the password."""

from __future__ import annotations

import shlex

import pytest
from gallery_fixtures import Run

from stsearch.cli.app import app

SECRET = "se/c@ret"
DATABASE = f"postgresql://ann:{SECRET}@127.0.0.1:1/db"
OTHER = f"https://ann:{SECRET}@127.0.0.1:1/db"

LINES = (
    "index URL",
    "index . --index URL",
    "index . --files-from URL",
    "search coffee --index URL",
    "search --queries URL",
    "search --like URL",
    "search coffee --save URL",
    "search coffee --model URL",
    "serve URL",
    "mcp URL",
    "words URL",
    "words . --index URL",
    "status URL",
    "status --index URL",
    "verify URL",
    "rebuild URL",
    "forget URL",
    "forget a.jpg --index URL",
    "train --preset tiny --out out --max-minutes 1 --real URL",
    "train --preset tiny --out URL --max-minutes 1",
    "eval --data URL",
    "eval --data URL:partial",
    "eval --data . --html URL",
    "doctor URL",
    "synth --out URL --scenes 1",
    "galleries find URL",
    "galleries forget URL",
    "galleries trust URL",
    "models show URL",
    "models verify URL",
    "models export tiny --data URL",
)


@pytest.mark.parametrize("url", [DATABASE, OTHER])
@pytest.mark.parametrize("line", LINES)
def test_no_command_shows_the_password_of_a_url(run: Run, line: str, url: str) -> None:
    done = run(*shlex.split(line.replace("URL", url)))
    shown = done.out + done.err
    assert done.code not in (0, 70), shown
    assert SECRET not in shown
    assert "ret@" not in shown


def test_the_lines_above_name_every_command() -> None:
    names = {command.name for command in app.registered_commands}
    names |= {group.name for group in app.registered_groups}
    assert names == {line.split()[0] for line in LINES}


@pytest.mark.parametrize("line", ["index URL", "forget URL", "galleries trust URL"])
def test_a_database_where_photographs_are_meant_has_a_sentence_of_its_own(run: Run, line: str) -> None:
    done = run(*shlex.split(line.replace("URL", DATABASE)))
    assert done.code == 2
    where = "postgresql://ann@127.0.0.1:1/db"
    assert done.err == f"error: {where} is a database, where no photographs lie: give it with --index\n"


@pytest.mark.parametrize("url", [OTHER, "s3://bucket/gallery"])
def test_a_gallery_is_made_at_no_url_but_that_of_a_database(run: Run, url: str) -> None:
    done = run("index", ".", "--index", url)
    assert done.code == 2
    assert "is no place for a gallery: give a folder, or postgresql://" in done.err


def test_a_url_where_only_files_of_this_computer_are_read_is_refused_so(run: Run) -> None:
    done = run("eval", "--data", DATABASE)
    assert done.code == 2
    assert done.err.startswith("error: --data takes files and folders of this computer, not postgresql:/ann@")
