"""A search that is suspended in the middle of reading."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from gallery_fixtures import MODEL, make_gallery, spotted

from stsearch.gallery.gallery import Gallery
from stsearch.gallery.verify import verify

# Stops itself when it has read the first row of the instances, and prints what it found once it goes on.
PROGRAM = """
import os, signal, sys
from stsearch.gallery.connection import Connection
from stsearch.gallery.gallery import Gallery

stream = Connection.rows
stopped = []

def rows(connection, statement, values=()):
    for row in stream(connection, statement, values):
        yield row
        if "instances" in statement and not stopped:
            stopped.append(True)
            os.kill(os.getpid(), signal.SIGSTOP)

Connection.rows = rows
with Gallery.open(sys.argv[1]) as gallery:
    print(*sorted(gallery.instances().transcripts))
"""


@pytest.mark.slow
def test_a_suspended_search_holds_up_no_index_and_answers_from_what_is_there_then(tmp_path: Path) -> None:
    make_gallery(tmp_path, {"a.jpg": ["exit"], "b.jpg": ["hotel"]}).close()
    search = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    _, status = os.waitpid(search.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    with Gallery.create(tmp_path / ".stsearch", tmp_path, MODEL) as gallery:
        gallery.catalog._database.execute("PRAGMA busy_timeout = 0")  # it waits for nobody
        gallery.add([spotted("c.jpg", "taxi")])
        gallery.forget([tmp_path / "b.jpg"])
    search.send_signal(signal.SIGCONT)
    out, _ = search.communicate()
    assert out == "exit taxi\n"
    assert list(verify(tmp_path / ".stsearch", deep=True)) == []
