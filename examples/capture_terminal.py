"""Capture what commands print on a terminal, in colour, as an SVG.

python examples/capture_terminal.py examples/photographs examples/terminal.svg

The commands run on a terminal of 80 columns, in a temporary folder that holds the photographs as ``photos``.
"""

from __future__ import annotations

import io
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

COLUMNS = 80
COMMANDS = (
    "stsearch search garden",
    "stsearch search 'harbour OR hotel' --boxes",
    "stsearch search 'bak*' --top 1 --explain",
)


def main(folder: Path, out: Path) -> None:
    """Index a copy of ``folder``, run the commands, and write what they print to ``out``."""
    with TemporaryDirectory() as home:
        shutil.copytree(folder, Path(home) / "photos")
        environment = os.environ | {
            "XDG_DATA_HOME": home,
            "TERM": "xterm-256color",
            "COLUMNS": str(COLUMNS),
            "PYTHONPATH": os.pathsep.join(filter(None, (str(Path.cwd()), os.environ.get("PYTHONPATH")))),
        }
        run("stsearch index photos", home, environment)
        screen = Console(record=True, width=COLUMNS, file=io.StringIO())
        for command in COMMANDS:
            screen.print(Text.assemble(("$ ", "green"), command), highlight=False)
            screen.print(Text.from_ansi(run(command, home, environment)), highlight=False)
    svg = screen.export_svg(title="stsearch", theme=MONOKAI, unique_id="terminal")
    # A picture in a page may fetch nothing: the reader's own monospaced font is as good.
    out.write_text(re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL), encoding="utf-8")


def run(command: str, folder: str, environment: dict[str, str]) -> str:
    """Return what a command of stsearch prints to a terminal."""
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", *shlex.split(command)]
    with subprocess.Popen(
        words, stdout=theirs, stderr=subprocess.DEVNULL, cwd=folder, env=environment
    ) as job:
        os.close(theirs)
        printed = b""
        try:
            while part := os.read(ours, 1 << 16):
                printed += part
        except OSError:  # Linux says so when the last writer is gone
            pass
    os.close(ours)
    if job.returncode:
        raise SystemExit(f"{command}: exit code {job.returncode}")
    return printed.decode("utf-8").replace("\r\n", "\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]))
