"""What a crash costs: the file it happened over, once it has happened over it twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from stsearch.errors import DeviceError
from stsearch.gallery.catalog import Failed, Record
from stsearch.indexing.stages import ReadFile
from stsearch.indexing.walk import NEVER
from stsearch.worker_process import NoAnswerError

MAX_CRASHES = 3
"""Ends of processes in a row, over files or while they begin, after which it is not chance."""


class CrashCounter:
    """Asks processes of which any may end at any time, for several threads.

    Args:
        ask: asks one for the records of files; raises ``NoAnswerError`` where it ended over them.
    """

    def __init__(self, ask: Callable[[Sequence[ReadFile]], list[Record]]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._crashes = 0  # in a row

    def spot(self, files: Sequence[ReadFile]) -> list[Record]:
        """Return the record of each of ``files``, as ``workers.Workers`` says.

        Raises:
            DeviceError: processes end wherever they are at.
        """
        if not files:
            return []
        try:
            records = self._ask_twice(files)
        except NoAnswerError as error:
            if len(files) > 1:
                return [record for file in files for record in self.spot([file])]
            return [self._failed(files[0], error)]
        self._crashes = 0
        return records

    def _ask_twice(self, files: Sequence[ReadFile]) -> list[Record]:
        try:
            return self._ask(files)
        except NoAnswerError:  # perhaps somebody else ended it
            return self._ask(files)

    def _failed(self, file: ReadFile, error: NoAnswerError) -> Record:
        """Return the record of a file that processes end over; what ends them may do so only now."""
        with self._lock:
            self._crashes += 1
            if self._crashes >= MAX_CRASHES:
                raise ends_again(error) from error
        reason = f"the process that looked for its words ended ({error.ended_by})"
        return Failed(replace(file.file, mtime_ns=NEVER), reason)


def ends_again(error: NoAnswerError) -> DeviceError:
    """Return what to raise where processes end whatever they are asked."""
    return DeviceError(
        f"the process that looks for words ends again and again ({error.ended_by}), as with too little"
        " memory: stop what else uses it, or take fewer --workers"
    )
