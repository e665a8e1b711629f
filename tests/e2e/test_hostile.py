"""One run over a folder of files made to break it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from gallery_fixtures import MODEL, ColourSpotter, Done
from hostile_files import EITHER, FAILED, READ, Hostile, corrupted, hostile_files
from long_runs import times

from stsearch.cli import app
from stsearch.gallery.gallery import Gallery

FILES = hostile_files()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hostile")
    for file in FILES:
        (made / file.name).write_bytes(file.content)
    return made


@pytest.fixture(scope="module")
def done(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Done:
    return index(folder, tmp_path_factory.mktemp("data"))


def index(folder: Path, data: Path) -> Done:
    """Index ``folder`` in this process and without weights."""
    weights = ModuleType("stsearch.spotting.load")
    weights.load_spotter = lambda *_: ColourSpotter()  # type: ignore[attr-defined]  # a stand-in
    out, err = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setitem(sys.modules, "stsearch.spotting.load", weights)
        patch.setattr("stsearch.weights.card.check_weights", lambda name: SimpleNamespace(info=MODEL))
        patch.setenv("XDG_DATA_HOME", str(data))
        code = app.run(app.app, ["index", str(folder)])
    return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def outcomes(done: Done, folder: Path) -> Iterator[dict[str, str]]:
    """Return why each file failed, READ where it did not."""
    with Gallery.open(folder) as gallery:
        read = {path: READ for path, _ in gallery.catalog.photos()}
        yield read | {failed.file.path: failed.reason for failed in gallery.catalog.failures()}


def test_there_are_many_of_them_each_under_its_own_name() -> None:
    assert len({file.name for file in FILES}) == len(FILES) > 150


def test_the_run_ends_with_3_and_not_with_an_exception(done: Done) -> None:
    assert done.code == 3, done.err


def test_every_file_has_one_row(outcomes: dict[str, str]) -> None:
    assert sorted(outcomes) == sorted(file.name for file in FILES)


@pytest.mark.parametrize(
    "file", [file for file in FILES if file.reason != EITHER], ids=lambda file: ascii(file.name)
)
def test_what_can_be_read_is_and_what_cannot_says_why(file: Hostile, outcomes: dict[str, str]) -> None:
    outcome = outcomes[file.name]
    if file.reason in (READ, FAILED):
        assert (outcome == READ) == (file.reason == READ), outcome
    else:
        assert file.reason in outcome


def test_nothing_that_a_terminal_acts_on_is_printed(done: Done) -> None:
    assert (done.out + done.err).replace("\n", "").isprintable()


@pytest.mark.long
def test_hundreds_of_corrupted_files_fail_alone_or_are_read(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    files = list(corrupted(times(40)))
    for file in files:
        (tmp_path / "photos" / file.name).write_bytes(file.content)
    assert index(tmp_path / "photos", tmp_path / "data").code in (0, 3)
    with Gallery.open(tmp_path / "photos") as gallery:
        seen = [*(path for path, _ in gallery.catalog.photos())]
        seen += [failed.file.path for failed in gallery.catalog.failures()]
    assert sorted(seen) == sorted(file.name for file in files)
