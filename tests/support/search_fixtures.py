"""What tests of searching share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from gallery_fixtures import embed

from stsearch.gallery.records import InstanceTable
from stsearch.search.candidates import InMemoryCandidates
from stsearch.types import Polygon


def table_of(*transcripts: str, confidence: float = 1.0) -> InstanceTable:
    count = len(transcripts)
    return InstanceTable(
        np.arange(1, count + 1),
        np.arange(1, count + 1),
        transcripts,
        np.full(count, confidence, np.float32),
        np.array([embed(text) for text in transcripts], np.float32).reshape(count, -1),
        np.zeros(count, np.int64),
    )


def candidates_of(
    table: InstanceTable, posteriors: Sequence[bytes] = (), outlines: Sequence[Polygon] = ()
) -> InMemoryCandidates:
    return InMemoryCandidates(table, outlines, posteriors or [b""] * len(table.ids))
