"""The examples that ask a server: a script with curl, and one of the standard library."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import PIL.Image
import pytest
from browser import running
from program import ROOT

EXAMPLES = ROOT / "examples"


def test_the_python_example_prints_hits_or_what_would_match(photos: Path) -> None:
    with running(photos) as server:
        command = [sys.executable, str(EXAMPLES / "ask_server.py")]
        done = subprocess.run(
            [*command, "hotel", server.address], capture_output=True, text=True, check=True
        ).stdout.splitlines()
        assert done[0].endswith(f"  HOTEL  {photos / 'hotel.png'}")
        assert f"{server.address}/api/image/" in done[1]
        wrong = subprocess.run(
            [*command, "-tea", server.address], capture_output=True, text=True, check=False
        )
        assert "only excludes words" in wrong.stderr


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_curl_example_searches_by_the_word_that_it_cut_out(photos: Path, tmp_path: Path) -> None:
    with running(photos) as server:
        command = ["sh", str(EXAMPLES / "ask_server.sh"), "hotel", server.address, "word.jpg"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    searched, by_picture = map(json.loads, done.stdout.splitlines())
    assert searched["hits"][0]["transcript"] == "HOTEL"
    assert by_picture["picture"]
    with PIL.Image.open(tmp_path / "word.jpg") as word:
        assert word.height == 96
