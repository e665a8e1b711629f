"""The ``stsearch`` program: names the commands, and turns every way a command can end into an exit code."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from stsearch import __version__
from stsearch.cli import output, signals
from stsearch.cli.eval import evaluate
from stsearch.cli.galleries import galleries
from stsearch.cli.gallery import forget, rebuild, status, verify
from stsearch.cli.index import index
from stsearch.cli.models import models
from stsearch.cli.program import Program, explain
from stsearch.cli.search import search
from stsearch.cli.signals import INTERRUPTED, TERMINATED
from stsearch.cli.synth import synth
from stsearch.cli.train import train
from stsearch.cli.words import words
from stsearch.errors import StsearchError

BUG = StsearchError.exit_code
PIPE_CLOSED = 128 + 13  # what a shell shows for a program that SIGPIPE ended

app = Program(
    name="stsearch",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Begin with: stsearch index ./photos, then: stsearch search coffee",
)
for name, command, example in (
    ("index", index, "stsearch index ./photos"),
    ("search", search, 'stsearch search "coffee"'),
    ("words", words, "stsearch words ./photos/holiday.jpg"),
    ("status", status, "stsearch status ./photos --failed"),
    ("verify", verify, "stsearch verify ./photos --deep"),
    ("rebuild", rebuild, "stsearch rebuild ./photos"),
    ("forget", forget, "stsearch forget ./photos/private"),
    ("train", train, "stsearch train --preset tiny --out runs/tiny --max-minutes 30"),
    ("eval", evaluate, "stsearch eval --data ./labelled-photos"),
    ("synth", synth, "stsearch synth --out scenes --scenes 100 --seed 1 --sheet sheet.png"),
):
    app.command(name, epilog=f"Example: {example}")(command)
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
        _discard_stdout()
        return PIPE_CLOSED
    except Exception as error:  # noqa: BLE001  the last line of defence: report the bug, keep its traceback
        return _fail(f"this is a bug in stsearch: {error!r}; the traceback is in {_save_traceback()}", BUG)
    return int(code or 0)


def _fail(message: str, code: int) -> int:
    output.complain(f"error: {message}")
    return code


def _discard_stdout() -> None:
    # Else the interpreter flushes into the closed pipe at exit, complains, and changes the exit code.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _save_traceback() -> str:
    with tempfile.NamedTemporaryFile("w", prefix="stsearch-", suffix=".log", delete=False) as log:
        traceback.print_exc(file=log)
    return log.name


def main() -> NoReturn:
    """Run ``stsearch`` with the arguments of this process; the console script."""
    signals.install()
    try:
        code = run(app, sys.argv[1:])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else BUG
    if code in (INTERRUPTED, TERMINATED):
        signals.leave(code)
    sys.exit(code)
