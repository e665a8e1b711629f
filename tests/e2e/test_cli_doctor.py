"""``stsearch doctor``: one block to share, and an exit code for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from gallery_fixtures import Done, Run

from stsearch.cli import app, doctor


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str | Path) -> Done:
        return Done(app.run(app.app, ["doctor", *map(str, arguments)]), *capsys.readouterr())

    return call


@pytest.fixture
def without_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_benchmark", lambda *_: "not run")


def findings(output: str) -> dict[str, str]:
    return {line[:11].rstrip(): line[11:] for line in output.splitlines()}


@pytest.mark.slow
def test_the_block_names_versions_machine_weights_and_speed(run: Run) -> None:
    done = run()
    found = findings(done.out)
    assert (done.code, done.err) == (0, "")
    assert list(found) == [
        "stsearch",
        "packages",
        "machine",
        "weights",
        "galleries",
        "temporary",
        "benchmark",
    ]
    assert "numpy " in found["packages"]
    assert found["weights"].endswith("every file is whole")
    assert found["benchmark"].startswith("10 rendered photographs on ")
    assert "words read right" in found["benchmark"]


@pytest.mark.usefixtures("without_benchmark")
def test_what_is_wrong_is_marked_and_decides_the_exit_code(run: Run) -> None:
    done = run("--model", "enormous")
    assert done.code == 13
    assert findings(done.out)["weights"].startswith("no weights 'enormous'")
    assert [line for line in done.out.splitlines() if line.endswith("  <- wrong")] == [
        f"weights    {findings(done.out)['weights']}"
    ]


@pytest.mark.usefixtures("without_benchmark")
def test_a_data_folder_that_cannot_be_written_to_is_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    done = run()
    assert done.code == 15
    assert findings(done.out)["galleries"].startswith("cannot write to ")


@pytest.mark.usefixtures("without_benchmark")
def test_the_block_does_not_name_the_folder_of_the_user(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    done = run()
    assert str(tmp_path) not in done.out
    assert findings(done.out)["galleries"] == "0 listed in ~/data/stsearch, writable"


@pytest.mark.usefixtures("without_benchmark")
def test_json_is_one_line(run: Run) -> None:
    row = json.loads(run("--json").out)
    assert (row["type"], row["schema"]) == ("doctor", 1)
    assert {"name": "benchmark", "text": "not run", "exit_code": 0} in row["findings"]


@pytest.mark.usefixtures("without_benchmark")
def test_a_package_that_is_not_installed_is_said_to_be_missing(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "OPTIONAL", ("no-such-package",))
    assert "no-such-package not installed" in findings(run().out)["packages"]
