"""worker_process.py: a process answers, is killed when it takes too long, and does not outlive its parent."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stsearch.worker_process import NoAnswerError, WorkerProcess

MODULE = """
import os, time
from stsearch.worker_process import serve

def answer(request, payload):
    if request["do"] == "sleep":
        time.sleep(60)
    if request["do"] == "crash":
        os.abort()
    if request["do"] == "fail":
        raise ValueError("a fault")
    print("what a library prints")
    os.write(1, b"what C prints")
    return {"pid": os.getpid(), "text": request["text"]}, payload or bytes(request["size"])

if __name__ == "__main__":
    serve(answer)
"""


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerProcess]:
    (tmp_path / "answering.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    process = WorkerProcess("answering")
    yield process
    process.kill()


def test_messages_and_megabytes_come_back_whatever_libraries_print(worker: WorkerProcess) -> None:
    for size in (0, 5_000_000):
        answer, payload = worker.ask({"do": "answer", "text": "a\udcff", "size": size}, 60)
        assert (answer["text"], len(payload)) == ("a\udcff", size)


def test_what_takes_too_long_is_killed(worker: WorkerProcess) -> None:
    answer, _ = worker.ask({"do": "answer", "text": "", "size": 0}, 60)
    with pytest.raises(NoAnswerError) as caught:
        worker.ask({"do": "sleep"}, 0.05)
    assert caught.value.ended_by is None
    with pytest.raises(ProcessLookupError):
        os.kill(int(str(answer["pid"])), 0)


@pytest.mark.parametrize(("do", "ended_by"), [("crash", signal.SIGABRT), ("fail", 1)])
def test_how_it_ended_is_known(worker: WorkerProcess, do: str, ended_by: int) -> None:
    with pytest.raises(NoAnswerError) as caught:
        worker.ask({"do": do}, 60)
    assert caught.value.ended_by == ended_by
    with pytest.raises(NoAnswerError):
        worker.ask({"do": "answer", "text": "", "size": 0}, 60)


@pytest.mark.slow
def test_it_does_not_outlive_the_process_that_asked_even_if_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "answering.py").write_text(MODULE)
    asking = (
        "import os, signal, threading\n"
        "from stsearch.worker_process import WorkerProcess\n"
        "process = WorkerProcess('answering')\n"
        "threading.Thread(target=process.ask, args=({'do': 'sleep'}, 60), daemon=True).start()\n"
        "print(process._process.pid, flush=True)\n"
        "input()\n"
    )
    paths = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
    with subprocess.Popen(
        [sys.executable, "-c", asking],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        ended = os.pidfd_open(worker)
        parent.kill()
    assert select.select([ended], [], [], 60)[0]
