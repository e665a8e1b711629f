"""Records of a catalog: files, text instances, the checksum of a row."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stsearch.types import Polygon, TextInstance

_MAX_NS = (1 << 63) - 1  # SQLite's integers have 64 bits


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """A file, as listed by the file system.

    Attributes:
        path: relative to the folder of photographs; undecodable bytes as surrogates (``os.fsdecode``).
        size: in bytes.
        mtime_ns: when it was last changed; a date that 64 bits do not hold (before 1677, after 2262) as the
            nearest that they do.
    """

    path: str
    size: int
    mtime_ns: int

    @classmethod
    def from_stat(cls, path: str, status: os.stat_result) -> PhotoFile:
        """Return the record of the file at ``path``, given its ``status``."""
        return cls(path, status.st_size, min(max(status.st_mtime_ns, -_MAX_NS), _MAX_NS))


@dataclass(frozen=True, slots=True, eq=False)
class Spotted:
    """A photograph that was read: its content is new to the gallery."""

    file: PhotoFile
    sha256: str
    height: int  # as displayed
    width: int
    instances: Sequence[TextInstance]
    taken: str | None = None  # by the clock of the camera, in ISO 8601 to the second; None: not known
    note: str | None = None  # what of it could not be read; None: nothing is missing


@dataclass(frozen=True, slots=True)
class Linked:
    """A file whose content the gallery already holds under another name: moved, copied or merely touched."""

    file: PhotoFile
    sha256: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A file that could not be read."""

    file: PhotoFile
    reason: str


Record = Spotted | Linked | Failed


@dataclass(frozen=True, slots=True)
class Incomplete:
    """A photograph of which only a part could be read."""

    file: PhotoFile
    note: str  # what is missing


@dataclass(frozen=True, slots=True)
class DatedPhoto:
    """One file of a photograph that was read.

    Attributes:
        file: as it was when it was read.
        content: id of its bytes; identical files share it.
        taken: by the clock of the camera, in ISO 8601 to the second; None where its EXIF does not say.
    """

    file: PhotoFile
    content: int
    taken: str | None


@dataclass(frozen=True, slots=True, eq=False)
class InstanceTable:
    """Text instances, one array an attribute, as they are scored.

    Attributes:
        ids: (N,) int64, ascending.
        contents: (N,) int64; instances of one photograph share it.
        transcripts: N strings, as read.
        confidences: (N,) float32 in [0, 1].
        embeddings: (N, D) float32, unit rows.
        pages: (N,) int64, from 1; 0 in a photograph of one page.
    """

    ids: NDArray[np.int64]
    contents: NDArray[np.int64]
    transcripts: tuple[str, ...]
    confidences: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    pages: NDArray[np.int64]

    @property
    def surfaces(self) -> NDArray[np.int64]:
        """(N,) int64: instances share a number that lie on one page of one photograph, and only those."""
        return np.unique(np.stack([self.contents, self.pages]), axis=1, return_inverse=True)[1].reshape(-1)

    @classmethod
    def of(cls, instances: Sequence[TextInstance], contents: NDArray[np.int64], dim: int) -> InstanceTable:
        """Return instances that no catalog holds, numbered in order; embeddings have the length ``dim``."""
        return cls(
            np.arange(len(instances)),
            contents,
            tuple(each.transcript for each in instances),
            np.array([each.confidence for each in instances], np.float32),
            np.array([each.embedding for each in instances], np.float32).reshape(len(instances), dim),
            np.array([each.page or 0 for each in instances], np.int64),
        )

    def within(self, contents: Iterable[int]) -> InstanceTable:
        """Return the rows of the photographs ``contents``."""
        kept = np.isin(self.contents, list(contents))
        return InstanceTable(
            self.ids[kept],
            self.contents[kept],
            tuple(compress(self.transcripts, kept)),
            self.confidences[kept],
            self.embeddings[kept],
            self.pages[kept],
        )


class Reading(NamedTuple):
    """How one instance was read, and where."""

    polygon: Polygon  # (P, 2) float32
    transcript: str
    page: int | None  # as ``TextInstance.page``


@dataclass(frozen=True, slots=True, eq=False)
class Detail:
    """The part of an instance that is read for hits, phrases and likelihoods alone."""

    polygon: Polygon  # (P, 2) float32
    score: float  # of detection
    characters: tuple[float, ...]  # confidence of each character of the transcript; empty: not known
    ctc_posteriors: bytes  # as ``TextInstance.ctc_posteriors``
    page: int | None = None  # as ``TextInstance.page``


@dataclass(frozen=True, slots=True)
class Counts:
    """How much a catalog holds: photographs that were read, files that could not be, words, parts missing."""

    photos: int
    failed: int
    words: int
    incomplete: int = 0  # of the photographs, read in part only


def row_checksum(*values: object) -> int:
    """Return the CRC-32 of the values of a row, their types and lengths included.

    It detects damage, not malice: SQLite does not verify the contents of its pages.

    >>> row_checksum(1, "exit") == row_checksum(1, b"exit")
    False
    """
    checksum = 0
    rest: list[object] = []
    for value in values:
        if isinstance(value, bytes):
            checksum = zlib.crc32(value, checksum)
            rest.append(len(value))
        else:
            rest.append(value)
    return zlib.crc32(ascii(rest).encode("ascii"), checksum)  # repr would change with Unicode


def array_faults(
    polygon: bytes, transcript: str, vector: bytes, characters: bytes, ctc_posteriors: bytes, dim: int | None
) -> Iterator[str]:
    """Yield a sentence for each wrong array of an instance whose checksum is right.

    Args:
        polygon: (P, 2) float32, as stored.
        transcript: as stored.
        vector: (dim,) float16, unit length, as stored.
        characters: a byte each, or none at all.
        ctc_posteriors: compressed, or nothing at all.
        dim: length of an embedding, None when it is not known.
    """
    if len(polygon) % 8 or len(polygon) < 24 or not np.isfinite(np.frombuffer(polygon, np.float32)).all():
        yield "its outline is not one of three or more finite points"
    if dim is not None and len(vector) != 2 * dim:
        yield f"its vector has {len(vector)} bytes, not {2 * dim}"
    elif not abs(float(np.linalg.norm(np.frombuffer(vector, np.float16).astype(np.float32))) - 1) < 0.01:
        yield "its vector is not of unit length"  # NaN is not either
    if len(characters) not in (0, len(transcript)):
        yield f"it has {len(characters)} confidences for {len(transcript)} characters"
    try:
        if ctc_posteriors and not zlib.decompress(ctc_posteriors):
            yield "its CTC posteriors are empty"
    except zlib.error:
        yield "its CTC posteriors cannot be unpacked"
