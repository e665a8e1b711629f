"""The process in which a folder is walked whose mount may not answer; ``remote_walk`` starts and asks it."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from stsearch.errors import StsearchError
from stsearch.indexing.remote_walk import message_of
from stsearch.indexing.walk import WalkRules, walk_photos
from stsearch.worker_process import Message, pack_error, serve

_ANSWERED_AFTER_S = 0.5


class _Job:
    """A walk in a thread of its own, so that how far it is can be told while it waits for the mount."""

    def __init__(self) -> None:
        self._steps = 0
        self._outcome: Message = {}
        self._is_done = threading.Event()

    def begin(self, root: Path, rules: WalkRules) -> None:
        """Begin to walk the folder ``root``."""
        threading.Thread(target=self._walk, args=(root, rules), daemon=True).start()

    def state(self) -> Message:
        """Return the outcome, or soon how many files and folders were looked at."""
        return self._outcome if self._is_done.wait(_ANSWERED_AFTER_S) else {"steps": self._steps}

    def _walk(self, root: Path, rules: WalkRules) -> None:
        try:
            self._outcome = message_of(walk_photos(root, rules, self._step))
        except StsearchError as error:
            self._outcome = pack_error(error)
        except BaseException:  # noqa: BLE001  # a fault of this program: nobody reads its traceback
            os._exit(1)
        self._is_done.set()

    def _step(self) -> None:
        self._steps += 1


_job = _Job()


def _answer(request: Message, _payload: bytes) -> tuple[Message, bytes]:
    """Begin the walk that is asked for, if one is, and return how far it is."""
    if request:
        asked: dict[str, Any] = dict(request)  # Any: JSON
        only = None if asked["only"] is None else tuple(asked["only"])
        _job.begin(Path(asked["root"]), WalkRules(tuple(asked["exclude"]), asked["follow"], only))
    return _job.state(), b""


if __name__ == "__main__":
    serve(_answer)
