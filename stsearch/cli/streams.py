"""The standard streams of the process: all are open, and only the loss of standard output is an error."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

from stsearch.errors import WriteError

if TYPE_CHECKING:
    from typing_extensions import Buffer

PIPE_CLOSED = 128 + 13  # what a shell shows for a program that SIGPIPE ended


def prepare() -> None:
    """Open the standard streams that were closed before the process began, and watch those written to.

    Without it the next file that is opened, such as a catalog, gets the number of a stream that was closed,
    as by ``>&-`` in a shell, and what a library prints goes into it. Standard output stays closed to writing,
    so that its loss is noticed. What cannot be written to standard error is lost in silence: a full disk
    behind a log file changes neither what is done nor the exit code.
    """
    for descriptor, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, mode)  # takes the lowest free number, which is this one
    if sys.stdin is None:
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)))
    sys.stdout = _text(_StandardOutput(1, "w", closefd=False), sys.stdout)
    sys.stderr = _text(_StandardError(2, "w", closefd=False), sys.stderr)


def _text(raw: io.FileIO, before: TextIO | None) -> TextIO:
    """Return a stream to ``raw`` like the one ``before``; None: it was closed."""
    by_line = isinstance(before, io.TextIOWrapper) and (before.line_buffering or before.write_through)
    encoding = before.encoding if before else "utf-8"
    # A name that the terminal cannot show is escaped.
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=by_line)


def discard_stdout() -> None:
    """Drop what was printed and nobody reads.

    Else the interpreter flushes into the closed pipe at exit, complains, and changes the exit code.
    """
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


class _StandardOutput(io.FileIO):
    """Standard output; a full disk behind it is a :class:`WriteError`, once."""

    _is_lost = False

    def write(self, chunk: Buffer, /) -> int:
        if self._is_lost:  # as was said; what is left in buffers is dropped
            return memoryview(chunk).nbytes
        try:
            return super().write(chunk)
        except (BrokenPipeError, BlockingIOError):
            raise
        except OSError as error:
            self._is_lost = True
            raise WriteError(f"cannot write to standard output: {error.strerror or error}") from error


class _StandardError(io.FileIO):
    """Standard error; what cannot be written is lost."""

    def write(self, chunk: Buffer, /) -> int:
        try:
            return super().write(chunk)
        except OSError:
            return memoryview(chunk).nbytes
