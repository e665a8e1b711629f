"""The photographs to be read again though their bytes did not change, and why: a table of the catalog."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from stsearch.gallery.database import Database
from stsearch.gallery.records import row_checksum

Reason = Literal["weights", "recognizer", "request"]
"""Other weights read it, whose embeddings do not compare; no recognizer read it; somebody asked for it."""


class Rereads:
    """The contents of a catalog that wait for being read again; ``Catalog.add`` strikes them off.

    The methods that write are called in a transaction of ``database``.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def __contains__(self, content: int) -> bool:
        return any(self._database.rows("SELECT 1 FROM rereads WHERE content_id = ?", (content,)))

    def counts(self) -> Counter[Reason]:
        """Return how many contents wait for each reason."""
        if self._database.total("rereads")[0] == 0:  # as always but during a few runs
            return Counter()
        return Counter(reason for _, reason in self._database.all("rereads"))

    def contents(self, *reasons: Reason) -> set[int]:
        """Return the ids of the contents that wait for one of ``reasons``."""
        if self._database.total("rereads")[0] == 0:
            return set()
        return {content for content, reason in self._database.all("rereads") if reason in reasons}

    def checksums(self, recognize: bool) -> set[str]:
        """Return the SHA-256 of the waiting contents; where no recognizer is used, not of those for it."""
        waiting = self.contents("weights", "request", *(("recognizer",) if recognize else ()))
        return {sha256 for _, sha256, *_ in self._database.among("contents", "id", waiting)}

    def add(self, content: int, reason: Reason) -> None:
        """Let one content wait."""
        self._database.insert("rereads", [(content, reason)])

    def add_all(self, reason: Reason) -> None:
        """Let every content wait; where one does already, "weights" outweighs another reason."""
        ids = [content for (content,) in self._database.rows("SELECT id FROM contents")]
        self._database.execute_all(
            "INSERT INTO rereads (content_id, reason, checksum) VALUES (?, ?, ?)"
            " ON CONFLICT (content_id) DO UPDATE SET reason = excluded.reason, checksum = excluded.checksum"
            " WHERE reason != 'weights'",
            ((content, reason, row_checksum(content, reason)) for content in ids),
        )

    def remove(self, content: int) -> None:
        """Strike one content off, if it waits."""
        self._database.execute("DELETE FROM rereads WHERE content_id = ?", (content,))
