"""Capture the page of ``stsearch serve`` as it looks in a browser: the hits of a search, and one photograph.

python examples/capture_page.py examples/page.jpg examples/photograph.jpg garden examples/photographs examples/gallery

Needs Chromium or Chrome, and pip install 'stsearch[serve]'.
"""  # noqa: E501 - a command is one line

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode

from PIL import Image

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WINDOW = (1200, 620)  # (width, height) in pixels
PATIENCE_MS = 4000  # for scripts and pictures
STSEARCH = (sys.executable, "-m", "stsearch")


def main(hits: Path, photograph: Path, text: str, folders: Sequence[Path]) -> None:
    """Serve copies of ``folders``, and write pictures of a search for ``text`` and of its second hit."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit(f"no browser found; install one of {', '.join(BROWSERS)}")
    with TemporaryDirectory() as home:
        search_path = os.pathsep.join(filter(None, (str(Path.cwd()), os.environ.get("PYTHONPATH"))))
        environment = os.environ | {"XDG_DATA_HOME": home, "PYTHONPATH": search_path}
        for folder in folders:
            shutil.copytree(folder, Path(home) / "photos" / folder.name)
        index = [*STSEARCH, "index", "photos"]
        subprocess.run(index, cwd=home, env=environment, check=True, capture_output=True)
        with serving(home, environment) as address:
            capture(browser, f"{address}?{urlencode({'q': text})}", hits, home)
            capture(browser, f"{address}?{urlencode({'q': text, 'hit': 2})}", photograph, home)


@contextmanager
def serving(home: str, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the address of a server of the photographs in ``home``."""
    command = [*STSEARCH, "serve", "photos", "--port", "0", "--quiet"]
    with subprocess.Popen(command, cwd=home, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None  # a pipe
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def capture(browser: str, page: str, out: Path, home: str) -> None:
    """Write a picture of ``page`` to ``out``."""
    picture = Path(home) / "capture.png"
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    options += [f"--user-data-dir={home}/browser", f"--window-size={WINDOW[0]},{WINDOW[1]}"]
    options += [f"--virtual-time-budget={PATIENCE_MS}", f"--screenshot={picture}"]
    subprocess.run([browser, *options, page], check=True, capture_output=True)
    Image.open(picture).convert("RGB").save(out, quality=75)


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], [Path(each) for each in sys.argv[4:]])
