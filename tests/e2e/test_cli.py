from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import typer
from program import ROOT, Cli

from stsearch import errors
from stsearch.cli import app, signals
from stsearch.cli import train as train_command
from stsearch.cli.progress import ProgressDisplay, Step
from stsearch.training.options import Progress, Report, TrainOptions

COMMANDS = ("index", "search", "models", "train", "eval", "synth", "doctor")
HEAVY = ("cv2", "hnswlib", "open_clip", "scipy", "shapely", "torch")


def program_that_raises(error: BaseException) -> typer.Typer:
    program = typer.Typer()

    @program.command()
    def fail() -> None:
        raise error

    return program


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(errors.UsageError("no"), 2, id="usage"),
        pytest.param(errors.DataError("no"), 2, id="data"),
        pytest.param(errors.ImageError("no"), 3, id="image"),
        pytest.param(errors.GalleryNotFoundError("no"), 10, id="gallery not found"),
        pytest.param(errors.GalleryLockedError("no"), 11, id="gallery locked"),
        pytest.param(errors.GalleryDamagedError("no"), 12, id="gallery damaged"),
        pytest.param(errors.WeightsError("no"), 13, id="weights"),
        pytest.param(errors.DeviceError("no"), 14, id="device"),
        pytest.param(errors.WriteError("no"), 15, id="write"),
        pytest.param(KeyboardInterrupt(), 130, id="Ctrl-C"),
        pytest.param(typer.Exit(1), 1, id="no match"),
        pytest.param(ModuleNotFoundError("No module named 'torch'", name="torch.nn"), 2, id="no torch"),
        pytest.param(ModuleNotFoundError("No module named 'tooth'", name="tooth"), 70, id="no such module"),
        pytest.param(MemoryError(), 14, id="no memory for Python or numpy"),
        pytest.param(OSError(errno.ENOMEM, "Cannot allocate memory"), 14, id="no memory for a mapping"),
        pytest.param(RuntimeError("std::bad_alloc"), 14, id="no memory for OpenVINO"),
        pytest.param(RuntimeError("CUDA error: unspecified launch failure"), 14, id="a lost GPU"),
        pytest.param(
            ImportError("libgeos.so: failed to map segment from shared object"),
            14,
            id="no memory for a library",
        ),
        pytest.param(
            RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
            14,
            id="no memory for torch on a CPU",
        ),
    ],
)
def test_every_ending_has_its_exit_code(error: BaseException, code: int) -> None:
    assert app.run(program_that_raises(error), []) == code


def test_a_deliberate_error_is_one_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    app.run(program_that_raises(errors.WeightsError("weights/tiny is not there: name another folder")), [])
    assert capsys.readouterr() == ("", "error: weights/tiny is not there: name another folder\n")


def test_a_bug_exits_with_70_and_saves_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(program_that_raises(ZeroDivisionError("one over nothing")), []) == 70
    message = capsys.readouterr().err
    log = Path(message.split()[-1])
    assert message.startswith("error: this is a bug in stsearch: ZeroDivisionError('one over nothing')")
    assert log.read_text().rstrip().endswith("ZeroDivisionError: one over nothing")
    log.unlink()


def test_a_folder_that_does_not_answer_is_named_and_is_no_bug(capsys: pytest.CaptureFixture[str]) -> None:
    dead = OSError(errno.ENOTCONN, "Transport endpoint is not connected", "nas")
    assert app.run(program_that_raises(dead), []) == 12
    assert capsys.readouterr().err == "error: cannot look into nas: Transport endpoint is not connected\n"


def test_a_wrong_option_is_a_usage_error(cli: Cli) -> None:
    done = cli("index", "--no-such-option")
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr == "error: No such option: --no-such-option (stsearch index --help lists what there is)\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            "search --shet a x", "--shet; did you mean --sheet? (stsearch search --help", id="an option"
        ),
        pytest.param("search --querie a", "--querie; did you mean --queries? (", id="its beginning"),
        pytest.param("serch x", "'serch'; did you mean search? (stsearch --help", id="a command"),
        pytest.param("models shw tiny", "'shw'; did you mean show? (stsearch models --help", id="one below"),
        pytest.param("status --xyz", "No such option: --xyz (stsearch status --help", id="nothing near"),
        pytest.param("list", "No such command 'list' (stsearch --help", id="no command near"),
        pytest.param(
            "search --group words x",
            "'words' is not one of 'word', 'photo'. (stsearch search --help",
            id="a value",
        ),
        pytest.param("models show", "Missing argument 'NAME'. (stsearch models show --help", id="nothing"),
    ],
)
def test_a_usage_error_says_what_was_meant_or_nothing_and_where_the_help_is(
    capsys: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    assert app.run(app.app, arguments.split()) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["", "index", "search", "models show", "galleries find", "train", "eval"])
def test_values_are_named_in_words_and_flags_have_none(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert app.run(app.app, [*command.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--help" in shown
    assert not re.search(r"bool|<[a-z]+|list\[|range|[{}]|default: \(", shown)


def test_a_value_has_the_name_that_says_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    app.run(app.app, ["search", "--help"])
    shown = capsys.readouterr().out
    assert "stsearch search [OPTIONS] [QUERY]..." in shown
    assert re.search(r"--index +FOLDER\|URL ", shown)
    assert re.search(r"--group +word\|photo ", shown)
    assert re.search(r"--top +-n +x \[x>=1\]", shown)


def test_help_shows_brackets_that_rich_would_take_for_markup(capsys: pytest.CaptureFixture[str]) -> None:
    app.run(app.app, ["models", "export", "--help"])
    assert "pip install 'stsearch[export]'" in " ".join(capsys.readouterr().out.split())


def test_help_wraps_its_paragraphs_and_leaves_tables_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 80)
    app.run(app.app, ["search", "--help"])
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert 'coffee -starbucks  photos with the second word leave; also NOT word, -"a b"' in lines
    at = lines.index("Case and accents do not matter, and misread letters cost little. Without")
    assert lines[at + 1].startswith("--index the nearest gallery in this folder or its parents is searched")


NOISY = (
    *("index", "search", "words", "status", "verify", "rebuild", "forget", "galleries"),
    *("train", "eval", "synth", "doctor", "models"),
)


@pytest.mark.parametrize("command", NOISY)
def test_quiet_is_an_option_of_every_command_that_says_more_than_its_results(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    app.run(app.app, [command, "--help"])
    assert re.search(r"--quiet +-q +Show errors only", capsys.readouterr().out)


@pytest.mark.parametrize("command", ["index", "search"])
def test_nul_separated_lists_have_one_name(capsys: pytest.CaptureFixture[str], command: str) -> None:
    app.run(app.app, [command, "--help"])
    assert re.search(r"--null +-0 ", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        pytest.param("stsearch eval --dataset icdar15-", {"icdar15-tdsl", "icdar15-mstar"}, id="datasets"),
        pytest.param("stsearch eval --dataset wor", {"words"}, id="word crops"),
        pytest.param("stsearch train --preset c", {"cr50"}, id="presets"),
        pytest.param("stsearch train --stage sp", {"spell"}, id="stages"),
        pytest.param("stsearch eval --baseline ", {"rapidocr", "tesseract"}, id="baselines"),
        pytest.param("stsearch eval --model ti", {"tiny"}, id="weights"),
    ],
)
def test_a_shell_completes_the_names_that_options_take(line: str, offered: set[str]) -> None:
    asked = {"_STSEARCH_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    command = [sys.executable, "-X", "importtime", "-m", "stsearch"]
    done = subprocess.run(command, env={**os.environ, **asked}, capture_output=True, text=True, check=False)
    assert set(done.stdout.split()) == offered
    assert not re.search(r"\| +(torch|open_clip|hnswlib)$", done.stderr, re.MULTILINE)


def test_sigterm_exits_with_143() -> None:
    waits = "import signal, typer; from stsearch.cli import app; app.app = p = typer.Typer()\n"
    waits += "@p.command()\ndef wait(): print('ready', flush=True); signal.pause()\napp.main()"
    with subprocess.Popen([sys.executable, "-c", waits], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 143


def test_a_closed_pipe_ends_the_program_quietly() -> None:
    talks = "import typer; from stsearch.cli import app; app.app = p = typer.Typer()\n"
    talks += "@p.command()\ndef talk():\n    while True: print('word ' * 1000)\napp.main()"
    arguments = [sys.executable, "-c", talks]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == ("", 141)


def test_version(cli: Cli) -> None:
    assert cli("--version").stdout == cli("-V").stdout == "stsearch 0.1.0\n"


def test_no_command_shows_the_help(cli: Cli) -> None:
    assert cli().stdout == cli("--help").stdout


@pytest.mark.parametrize("command", [*(command.name for command in app.app.registered_commands), "models"])
def test_every_command_has_help_with_an_example(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert app.run(app.app, [command, "--help"]) == 0
    assert f"Example: stsearch {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        pytest.param("stsearch sea", "search", id="a command"),
        pytest.param("stsearch search --shee", "--sheet", id="an option"),
        pytest.param("stsearch models ver", "verify", id="a command of a command"),
        pytest.param("stsearch search --model ti", "tiny", id="weights"),
    ],
)
def test_a_shell_completes_what_is_typed(line: str, offered: str) -> None:
    asked = {"_STSEARCH_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    command = [sys.executable, "-X", "importtime", "-m", "stsearch"]
    done = subprocess.run(command, env={**os.environ, **asked}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, [offered])
    assert not re.search(rf"\| +({'|'.join(HEAVY)})$", done.stderr, re.MULTILINE)


def test_control_characters_in_an_error_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    app.run(program_that_raises(errors.UsageError("a\x1b[31m.jpg: no\nsecond line")), [])
    assert capsys.readouterr().err == "error: a\\x1b[31m.jpg: no\nsecond line\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme(command: str) -> None:
    assert f"`stsearch {command} " in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_exit_codes_are_in_the_readme() -> None:
    codes = {error.exit_code for error in errors.StsearchError.__subclasses__()} | {
        app.BUG,
        signals.INTERRUPTED,
    }
    documented = re.findall(r"^\| (\d+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert codes - set(map(int, documented)) == set()


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from stsearch.cli import app; app.run(app.app, ['--help']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {*HEAVY, "numpy"} & set(done.stdout.splitlines()[-1].split()) == set()


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> list[TrainOptions]:
    """Put a training loop in place that notes its options and reports one step."""
    noted: list[TrainOptions] = []

    def train(options: TrainOptions, report: Report) -> None:
        noted.append(options)
        losses = {"ctc": 1.25, "similarity": 0.5}
        report(Progress(20, 100, losses, 164.6, 75.2, "saved runs/a/last", "stage words"))

    module = ModuleType("stsearch.training.train")
    vars(module).update(train=train)
    monkeypatch.setitem(sys.modules, "stsearch.training.train", module)
    monkeypatch.setattr(TrainOptions, "check", lambda options: None)
    return noted


def test_train_hands_its_options_to_the_training_loop(training: list[TrainOptions]) -> None:
    line = "train --out runs/a --preset cr50 --stage words --resume --data a --data b --val c --seed 7"
    line += " --compile"
    assert app.run(app.app, line.split()) == 0
    assert training == [
        TrainOptions(
            out=Path("runs/a"),
            preset="cr50",
            stage="words",
            resume=True,
            data=(Path("a"), Path("b")),
            val=(Path("c"),),
            seed=7,
            compile=True,
        )
    ]


@pytest.mark.usefixtures("training")
def test_train_writes_its_messages_when_stderr_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    app.run(app.app, ["train", "--out", "runs/a"])
    assert capsys.readouterr() == ("", "saved runs/a/last\n")


@pytest.mark.usefixtures("training")
def test_the_last_state_of_training_is_not_what_it_measured_last(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[Step] = []
    monkeypatch.setattr(ProgressDisplay, "show", lambda _, step: shown.append(step))
    app.run(app.app, ["train", "--out", "runs/a"])
    assert (shown[-1].done, shown[-1].at, shown[-1].left_s, shown[-1].is_over) == (20, "", None, True)


@pytest.mark.usefixtures("training")
def test_train_reports_json_lines_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    app.run(app.app, ["train", "--out", "runs/a", "--json"])
    assert json.loads(capsys.readouterr().out) == {
        "type": "progress",
        "schema": 1,
        "step": 20,
        "steps": 100,
        "losses": {"ctc": 1.25, "similarity": 0.5},
        "samples_per_s": 164.6,
        "eta_s": 75.2,
        "message": "saved runs/a/last",
        "at": "stage words",
    }


def test_json_lines_of_training_come_once_a_second_and_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = train_command._json_lines(iter([0.0, 0.0, 0.5, 1.0, 1.0, 1.1]).__next__)
    for step in range(1, 5):
        report(Progress(step, 4))
    assert [json.loads(line)["step"] for line in capsys.readouterr().out.splitlines()] == [1, 3, 4]


@pytest.mark.usefixtures("training")
def test_train_draws_a_bar_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    app.run(app.app, ["train", "--out", "runs/a"])
    output, shown = capsys.readouterr()
    assert output == ""
    assert "saved runs/a/last" in shown
    assert "20/100 steps · in 0:00:00 · ctc 1.250 · similarity 0.500" in shown


def test_train_refuses_a_missing_folder_before_torch_is_imported() -> None:
    code = "import sys; from stsearch.cli import app\n"
    code += "print(app.run(app.app, ['train', '--out', 'a', '--data', 'no']), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("2 False\n", "error: --data: there is no folder no\n")
