"""Capture the contact sheet of a search as it looks in a browser.

python examples/capture_sheet.py examples/photographs garden examples/sheet.jpg

Needs Chromium or Chrome.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
WINDOW = (1200, 600)  # (width, height) in pixels


def main(folder: Path, text: str, out: Path) -> None:
    """Index a copy of ``folder``, search it for ``text`` and write a picture of the sheet to ``out``."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit(f"no browser found; install one of {', '.join(BROWSERS)}")
    with TemporaryDirectory() as home:
        shutil.copytree(folder, Path(home) / "photos")
        search_path = os.pathsep.join(filter(None, (str(Path.cwd()), os.environ.get("PYTHONPATH"))))
        environment = os.environ | {"XDG_DATA_HOME": home, "PYTHONPATH": search_path}
        for words in (["index", "photos"], ["search", text, "--sheet", "sheet.html"]):
            command = [sys.executable, "-m", "stsearch", *words]
            subprocess.run(command, cwd=home, env=environment, check=True, capture_output=True)
        capture = Path(home) / "capture.png"
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        options += [f"--user-data-dir={home}/browser", f"--window-size={WINDOW[0]},{WINDOW[1]}"]
        page = (Path(home) / "sheet.html").as_uri()
        command = [browser, *options, f"--screenshot={capture}", page]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        Image.open(capture).convert("RGB").save(out, quality=82)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
