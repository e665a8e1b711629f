"""Records of a catalog: files, text instances, the checksum of a row."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import accumulate, compress, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stsearch.gallery.packing import unpack_posteriors
from stsearch.text.reading_index import ReadingIndex
from stsearch.types import Polygon, TextInstance

_MAX_NS = (1 << 63) - 1  # SQLite's integers have 64 bits
_MAX_COORDINATE = 1e7  # pixels; no photograph that can be decoded is so long
_NO_OUTLINE = "its outline is not one of three or more finite points"

MAX_TRANSCRIPT = 1000
"""Characters; no word that is read has more."""

_MAX_SIDE = 2**31 - 1  # pixels


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """A file, as listed by the file system, or an object, as listed by its storage.

    Attributes:
        path: relative to the folder of photographs; undecodable bytes as surrogates (``os.fsdecode``).
        size: in bytes.
        mtime_ns: when it was last changed; a date that 64 bits do not hold (before 1677, after 2262) as the
            nearest that they do.
        stamp: the ETag of an object, another one for other bytes; None of a file.
    """

    path: str
    size: int
    mtime_ns: int
    stamp: str | None = None

    @classmethod
    def from_stat(cls, path: str, status: os.stat_result) -> PhotoFile:
        """Return the record of the file at ``path``, given its ``status``."""
        return cls(path, status.st_size, min(max(status.st_mtime_ns, -_MAX_NS), _MAX_NS))

    @property
    def changed(self) -> datetime:
        """When it was last changed, by the clock of this machine; the earliest date if it has none."""
        try:
            return datetime.fromtimestamp(self.mtime_ns / 1e9)
        except (OverflowError, ValueError, OSError):  # a file of the year 10,000, or from before the first
            return datetime.min


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
    is_rough: bool = False  # the recognizer was left out, and is to read it later


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


@dataclass(frozen=True, eq=False)
class InstanceTable:
    """Text instances, one array an attribute, as they are scored.

    Attributes:
        ids: (N,) int64, ascending.
        contents: (N,) int64; instances of one photograph share it.
        transcripts: N strings, as read.
        confidences: (N,) float32 in [0, 1].
        embeddings: (N, D) float32, unit rows; zeros where they do not compare.
        pages: (N,) int64, from 1; 0 in a photograph of one page.
        comparable: (N,) bool: whether the weights of the gallery read the instance; None: they read all.
    """

    ids: NDArray[np.int64]
    contents: NDArray[np.int64]
    transcripts: tuple[str, ...]
    confidences: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    pages: NDArray[np.int64]
    comparable: NDArray[np.bool_] | None = None

    @cached_property
    def surfaces(self) -> NDArray[np.int64]:
        """(N,) int64: instances share a number that lie on one page of one photograph, and only those."""
        keys = self.contents * (self.pages.max(initial=0) + 1) + self.pages
        return np.unique(keys, return_inverse=True)[1]

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

    @cached_property
    def readings(self) -> ReadingIndex:
        """An index of the transcripts, made once for all searches of the table."""
        return ReadingIndex(self.transcripts)

    @cached_property
    def char_confidences(self) -> NDArray[np.float32]:
        """(N,) float32 in [0, 1]: the mean (geometric) confidence of a character of each transcript."""
        lengths = np.fromiter(map(len, self.transcripts), np.float32, len(self.transcripts))
        return np.asarray(self.confidences ** (1 / np.maximum(lengths, 1)), np.float32)

    @cached_property
    def neighbours(self) -> dict[int, NDArray[np.int32]]:
        """By surface (K, 2): which of its rows directly follow each other (``search.phrases`` fills it)."""
        return {}

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
            None if self.comparable is None else self.comparable[kept],
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


def is_inside(path: str) -> bool:
    """Return whether a relative path names something inside the folder it starts from.

    >>> is_inside("a/b.jpg"), is_inside("a/../../b.jpg"), is_inside("/etc/passwd")
    (True, False, False)
    """
    return bool(path) and not path.startswith("/") and ".." not in path.split("/") and "\0" not in path


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


def row_faults(table: str, row: tuple[Any, ...], dim: int | None) -> Iterator[str]:  # Any: what SQLite holds
    """Yield a sentence for each value of a row that is wrong though its checksum is right.

    Args:
        table: of the row.
        row: its values in the order of ``schema.COLUMNS``, without the checksum.
        dim: length of an embedding, None when it is not known.
    """
    if table == "images" and not is_inside(os.fsdecode(row[0])):
        yield f"the path {os.fsdecode(row[0])!r} leads out of the folder of photographs"
    if table == "contents" and not (0 < row[2] <= _MAX_SIDE and 0 < row[3] <= _MAX_SIDE):
        yield f"content {row[0]}: its photograph has {row[3]} x {row[2]} pixels"
    if table == "instances":
        number, _, polygon, score, transcript, _, confidence, vector, characters, posteriors, page = row
        for fault in _instance_faults(polygon, transcript, vector, characters, posteriors):
            yield f"instance {number}: {fault}"
        for name, value in (("score", score), ("confidence", confidence)):
            if not 0 <= value <= 1:
                yield f"instance {number}: its {name} is {value}"
        if dim is not None and len(vector) != 2 * dim:
            yield f"instance {number}: its vector has {len(vector)} bytes, not {2 * dim}"
        if page is not None and page < 1:
            yield f"instance {number}: it lies on page {page}"


def _instance_faults(
    polygon: bytes, transcript: str, vector: bytes, characters: bytes, ctc_posteriors: bytes
) -> Iterator[str]:
    if len(vector) % 2 or not _is_unit(np.frombuffer(vector, np.float16)):
        yield "its vector is not of unit length"
    if len(transcript) > MAX_TRANSCRIPT:
        yield f"its transcript has {len(transcript)} characters"
    if len(characters) not in (0, len(transcript)):
        yield f"it has {len(characters)} confidences for {len(transcript)} characters"
    for read, stored in ((read_outline, polygon), (unpack_posteriors, ctc_posteriors)):
        try:
            read(stored)
        except ValueError as error:
            yield str(error)


def _is_unit(vector: NDArray[np.float16]) -> bool:
    return abs(float(np.linalg.norm(vector.astype(np.float32))) - 1) < 0.01  # NaN is not either


def read_confidences(stored: Sequence[float], transcripts: Sequence[str]) -> NDArray[np.float32]:
    """Return the (N,) confidences of N transcripts, as they are stored.

    Raises:
        ValueError: one is outside of [0, 1], or its transcript is longer than that of any word.
    """
    confidences = np.asarray(stored, np.float32)
    if not ((confidences >= 0) & (confidences <= 1)).all():  # NaN is not either
        raise ValueError("a confidence lies outside of [0, 1]")
    if max(map(len, transcripts), default=0) > MAX_TRANSCRIPT:
        raise ValueError("a transcript is longer than any word")
    return confidences


def read_vectors(stored: Sequence[bytes], dim: int) -> NDArray[np.float32]:
    """Return N embeddings (N, dim) float32, unit rows, given as they are stored.

    Raises:
        ValueError: one has another length, or is not finite.
    """
    if any(len(each) != 2 * dim for each in stored):
        raise ValueError("a stored array has another length")
    return unit_vectors(np.frombuffer(b"".join(stored), np.float16).reshape(len(stored), dim))


def unit_vectors(stored: NDArray[np.float16]) -> NDArray[np.float32]:
    """Return embeddings (N, D) as unit rows; a row of zeros stays one.

    Raises:
        ValueError: one is not finite.
    """
    vectors = stored.astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)  # rounding to float16 changed them a little
    if not np.isfinite(lengths).all():
        raise ValueError("a vector is not finite")
    return np.asarray(vectors / np.maximum(lengths, 1e-6), np.float32)


def read_moment(stored: str) -> str:
    """Return when a photograph was taken, given as it is stored.

    Raises:
        ValueError: it is no moment by the clock of a camera.
    """
    if datetime.fromisoformat(stored).tzinfo is not None:
        raise ValueError(f"{stored!r} is not by the clock of a camera")
    return stored


def read_outline(stored: bytes) -> Polygon:
    """Return the outline (P, 2) float32 of an instance, given as it is stored.

    Raises:
        ValueError: it is none of three or more points that a photograph can have.
    """
    [outline] = read_outlines([stored])
    return outline


def read_outlines(stored: Sequence[bytes]) -> list[Polygon]:
    """Return N outlines (P, 2) float32, given as they are stored: together, in a third of the time.

    Raises:
        ValueError: one is none of three or more points that a photograph can have.
    """
    sizes = [len(each) for each in stored]
    if any(size % 8 or size < 24 for size in sizes):
        raise ValueError(_NO_OUTLINE)
    points = np.frombuffer(b"".join(stored), np.float32).reshape(-1, 2).copy()
    if not (np.abs(points) <= _MAX_COORDINATE).all():  # NaN is not either
        raise ValueError(_NO_OUTLINE)
    ends = list(accumulate(size // 8 for size in sizes))
    return [points[begin:end] for begin, end in pairwise([0, *ends])]
