"""The ``stsearch`` program: names the commands, and turns every way a command can end into an exit code."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import tempfile
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from stsearch import __version__
from stsearch.cli import output, signals, streams
from stsearch.cli.doctor import doctor
from stsearch.cli.eval import evaluate
from stsearch.cli.galleries import galleries
from stsearch.cli.gallery import forget, rebuild, status, verify
from stsearch.cli.index import index
from stsearch.cli.mcp import mcp
from stsearch.cli.models import models
from stsearch.cli.program import Program, explain
from stsearch.cli.search import search
from stsearch.cli.serve import serve
from stsearch.cli.signals import INTERRUPTED, TERMINATED
from stsearch.cli.synth import synth
from stsearch.cli.train import train
from stsearch.cli.typed_query import SearchCommand
from stsearch.cli.words import words
from stsearch.device_errors import device_error
from stsearch.errors import DeviceError, GalleryUnreadableError, StsearchError, UsageError, WriteError
from stsearch.memory import is_out_of_memory
from stsearch.objects.url_secrets import without_secrets

BUG = StsearchError.exit_code

_OUT_OF_REACH = (errno.ENOTCONN, errno.EACCES, errno.EIO, errno.ESTALE, errno.EHOSTDOWN, errno.ETIMEDOUT)

app = Program(
    name="stsearch",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Begin with: stsearch index ./photos, then: stsearch search coffee",
)
for name, command, example in (
    ("index", index, "stsearch index ./photos"),
    ("search", search, 'stsearch search "coffee"'),
    ("serve", serve, "stsearch serve ./photos --open"),
    ("mcp", mcp, "stsearch mcp ./photos"),
    ("words", words, "stsearch words ./photos/holiday.jpg"),
    ("status", status, "stsearch status ./photos --failed"),
    ("verify", verify, "stsearch verify ./photos --deep"),
    ("rebuild", rebuild, "stsearch rebuild ./photos"),
    ("forget", forget, "stsearch forget ./photos/private"),
    ("train", train, "stsearch train --preset tiny --out runs/tiny --max-minutes 30"),
    ("eval", evaluate, "stsearch eval --data ./labelled-photos"),
    ("doctor", doctor, "stsearch doctor"),
    ("synth", synth, "stsearch synth --out scenes --scenes 100 --seed 1 --sheet sheet.png"),
):
    kind = SearchCommand if command is search else None
    app.command(name, cls=kind, epilog=f"Example: {example}")(command)
app.add_typer(galleries, name="galleries", epilog="Example: stsearch galleries find /mnt/photos")
app.add_typer(models, name="models", epilog="Example: stsearch models verify tiny")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"stsearch {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def stsearch(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", "-V", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Find photographs by the words that can be read in them."""
    if context.invoked_subcommand is None:
        print(context.get_help())
        return
    try:
        Path.cwd()
    except FileNotFoundError as error:
        raise UsageError("the current folder was deleted: go to another one with cd") from error


def run(program: typer.Typer, arguments: Sequence[str]) -> int:
    """Run ``program`` and return its exit code; whatever goes wrong becomes one line on stderr."""
    output.hush(False)
    try:
        code = program(arguments, prog_name="stsearch", standalone_mode=False)
        sys.stdout.flush()
    except StsearchError as error:
        return _fail(str(error), error.exit_code)
    except typer.TyperException as error:
        return _fail(explain(error), error.exit_code)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (BrokenPipeError, SystemExit) as end:
        # typer answers a closed pipe with SystemExit(1), which would read as "no match"
        if isinstance(end, SystemExit) and not isinstance(end.__context__, BrokenPipeError):
            raise
        streams.discard_stdout()
        return streams.PIPE_CLOSED
    except Exception as error:  # noqa: BLE001  the last line of defence
        return _answer_unexpected(error)
    return int(code or 0)


def _answer_unexpected(error: Exception) -> int:
    """Return the exit code for an error that no command answers: of the machine, else a bug."""
    if (known := device_error(error, "the GPU")) is not None:
        return _fail(str(known), known.exit_code)
    if is_out_of_memory(error):
        message = "out of memory: close other programs, or take smaller photographs or a smaller --batch"
        return _fail(message, DeviceError.exit_code)
    if isinstance(error, OSError) and error.filename is not None and error.errno in _OUT_OF_REACH:
        message = f"cannot look into {os.fsdecode(error.filename)}: {error.strerror}"
        return _fail(message, GalleryUnreadableError.exit_code)
    if isinstance(error, ModuleNotFoundError) and (package := _package_of(error.name)):
        message = f"this needs {package}, which is not installed: pip install {package}"
        return _fail(message, UsageError.exit_code)
    return _fail(f"this is a bug in stsearch: {error!r}; {_save_traceback()}", BUG)


def _package_of(module: str | None) -> str | None:
    """Return the package that brings ``module``, of those that some installations do without."""
    packages = {"open_clip": "open_clip_torch", "torch": "torch", "hnswlib": "hnswlib", "onnx": "onnx"}
    return packages.get((module or "").partition(".")[0])


def _fail(message: str, code: int) -> int:
    output.complain(f"error: {message}")
    return code


def _save_traceback() -> str:
    try:
        with tempfile.NamedTemporaryFile("w", prefix="stsearch-", suffix=".log", delete=False) as log:
            log.write(without_secrets(traceback.format_exc()))
    except OSError:
        return traceback.format_exc()
    return f"the traceback is in {log.name}"


def main() -> NoReturn:
    """Run ``stsearch`` with the arguments of this process; the console script."""
    streams.prepare()
    signals.install()
    try:
        code = run(app, sys.argv[1:])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else BUG
    if code in (INTERRUPTED, TERMINATED):
        signals.leave(code)
    # Threads may still decode or compute for a run that an error ended; a lost device fails in destructors.
    if threading.active_count() > 1 or code == DeviceError.exit_code:
        with contextlib.suppress(OSError, WriteError):
            sys.stdout.flush()
        signals.leave(code)
    signals.leave_at_once()  # while the interpreter ends
    sys.exit(code)
