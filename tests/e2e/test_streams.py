"""What the shell hands over may be closed, full or deleted; each way to end has its exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run ``line``, in which ``stsearch`` is the program under test, in ``folder``."""
    script = f'stsearch() {{ "{sys.executable}" -m stsearch "$@"; }}; {line}'
    return subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=False)


def last_line(text: str) -> str:
    return text.splitlines()[-1]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
def test_a_full_disk_behind_stdout_is_no_bug(tmp_path: Path, unbuffered: str) -> None:
    done = shell(f"PYTHONUNBUFFERED={unbuffered} stsearch models > /dev/full", tmp_path)
    assert (done.returncode, done.stderr) == (
        15,
        "error: cannot write to standard output: No space left on device\n",
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
def test_a_full_disk_behind_stderr_does_not_change_the_exit_code(tmp_path: Path, unbuffered: str) -> None:
    done = shell(f"PYTHONUNBUFFERED={unbuffered} stsearch search x 2> /dev/full", tmp_path)
    assert (done.returncode, done.stdout) == (10, "")


def test_a_closed_stdout_is_no_bug(tmp_path: Path) -> None:
    done = shell("stsearch models >&-", tmp_path)
    assert (done.returncode, last_line(done.stderr)) == (
        15,
        "error: cannot write to standard output: Bad file descriptor",
    )


def test_messages_do_not_go_to_stdout_where_stderr_is_closed(tmp_path: Path) -> None:
    done = shell("stsearch search x 2>&-", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (10, "", "")


@pytest.mark.parametrize("command", ["search x", "index .", "status", "models"])
def test_a_deleted_working_folder_is_no_bug(tmp_path: Path, command: str) -> None:
    done = shell(f"mkdir gone; cd gone; rmdir ../gone; stsearch {command}", tmp_path)
    message = "error: the current folder was deleted: go to another one with cd"
    assert (done.returncode, last_line(done.stderr)) == (2, message)


# Ctrl-C while the program is loaded: a finder presses it when typer is about to be imported.
PRESSED_WHILE_LOADING = """
import importlib.abc, os, runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a job in the background

class Press(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Press())
runpy.run_module("stsearch", run_name="__main__")
"""


def test_ctrl_c_while_the_program_is_loaded_ends_it_quietly() -> None:
    command = [sys.executable, "-c", PRESSED_WHILE_LOADING]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
