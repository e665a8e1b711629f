"""The program as a subprocess, and where its checkout is."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
