"""The file that hnswlib writes: what has to hold before hnswlib, which checks nothing, may load it.

A header; then a record a node: the links of the lowest layer, the vector, the id; then, for each node, the
number of bytes that its links in higher layers take, and these links.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HEADER = struct.Struct("=6QiI3QdQ")
_CHUNK = 20_000  # records looked at together: 50 MB
_MAX_LINKS = 1_000
_MAX_BUILD_WIDTH = 100_000

Bytes = NDArray[np.uint8]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Header:
    """The numbers at the beginning of the file, by what they mean."""

    first_record: int
    capacity: int
    count: int
    record_size: int
    id_offset: int
    vector_offset: int
    top_layer: int
    entry: int
    links: int  # of a node in a higher layer, at most
    lowest_links: int
    nominal_links: int
    layer_scale: float
    build_width: int

    def fault(self, dim: int) -> str | None:
        """Return a sentence that says which numbers do not go together, None when they all do."""
        if (length := self.id_offset - self.vector_offset) != 4 * dim:
            return f"it holds vectors of length {length // 4}, not {dim}"
        if not 2 <= self.links <= _MAX_LINKS:
            return f"its nodes have up to {self.links} links"
        is_whole = (
            self.first_record == 0
            and 1 <= self.count <= self.capacity <= 2 * self.count  # a fuller graph grows by a quarter
            and (self.lowest_links, self.nominal_links) == (2 * self.links, self.links)
            and self.vector_offset == 4 + 4 * self.lowest_links
            and self.record_size == self.id_offset + 8
            and self.top_layer >= 0
            and self.entry < self.count
            and math.isclose(self.layer_scale, 1 / math.log(self.links))
            and 1 <= self.build_width <= _MAX_BUILD_WIDTH
        )
        return None if is_whole else "its header does not add up"

    def records(self, content: Bytes) -> NDArray[Any]:  # Any: a structured array
        """Return the records in the ``content`` of the file, without copying them."""
        kind = np.dtype(
            [
                ("links", "<u2"),
                ("flags", "<u2"),
                ("linked", "<u4", (self.lowest_links,)),
                ("vector", "<f4", ((self.id_offset - self.vector_offset) // 4,)),
                ("id", "<u8"),
            ]
        )
        return content[_HEADER.size : _HEADER.size + self.count * self.record_size].view(kind)


def graph_fault(path: Path, dim: int) -> str | None:
    """Return a sentence that says why the graph in the file at ``path`` must not be loaded, None when it may.

    Args:
        path: of the file.
        dim: length of its vectors.

    Raises:
        OSError: it cannot be read.
    """
    if path.stat().st_size < _HEADER.size:
        return "it is cut off"
    content: Bytes = np.memmap(path, np.uint8, "r")
    header = _Header(*_HEADER.unpack(content[: _HEADER.size].tobytes()))
    if fault := header.fault(dim):
        return fault
    if len(content) < _HEADER.size + header.count * (header.record_size + 4):
        return "it is cut off"
    records = header.records(content)
    for start in range(0, header.count, _CHUNK):
        if fault := _records_fault(records[start : start + _CHUNK], header):
            return fault
    if len(np.unique(records["id"])) != header.count:
        return "two of its nodes have the same id"
    return _layers_fault(content, header)


def erase(path: Path, dim: int, ids: Numbers) -> None:
    """Overwrite the vectors of the removed nodes ``ids`` in an undamaged file.

    Such a node stays as a bridge between others. It gets the vector of one that it has a link to, so that it
    leads where it led before.
    """
    content: Bytes = np.memmap(path, np.uint8, "r+")
    header = _Header(*_HEADER.unpack(content[: _HEADER.size].tobytes()))
    records = header.records(content)
    removed = np.isin(records["id"], ids)
    if not removed.any() or removed.all():
        return
    rows, others = np.flatnonzero(removed), np.flatnonzero(~removed)
    linked = records["linked"][rows].astype(np.int64)
    is_used = np.arange(linked.shape[1]) < records["links"][rows, None]
    stays = is_used & ~removed[np.where(is_used, linked, 0)]
    nearest = np.where(stays.any(axis=1), linked[np.arange(len(rows)), stays.argmax(axis=1)], others[0])
    records["vector"][rows] = records["vector"][nearest]


def _records_fault(records: NDArray[Any], header: _Header) -> str | None:
    if not np.isfinite(records["vector"]).all():
        return "a vector in it is not finite"
    if (records["id"] >> 63).any() or (records["flags"] > 1).any():
        return "a node in it has an impossible id or flag"
    return _links_fault(records["links"], records["linked"], np.ones(header.count, bool))


def _links_fault(numbers: NDArray[Any], linked: NDArray[Any], may_link: NDArray[np.bool_]) -> str | None:
    """Return what is wrong with the links of some nodes: how many each has, and the rows they lead to."""
    if (numbers > linked.shape[1]).any():
        return "a node in it has more links than there is room for"
    used = linked[np.arange(linked.shape[1]) < numbers[:, None]]
    if (used >= len(may_link)).any() or not may_link[used].all():
        return "a link in it leads nowhere"
    return None


def _layers_fault(content: Bytes, header: _Header) -> str | None:
    """Return what is wrong with the links of the higher layers, at the end of the file."""
    size = 4 + 4 * header.links  # of the links of a node in one layer
    places, layers = np.zeros(header.count, np.int64), np.zeros(header.count, np.int64)
    rest, at = content[_HEADER.size + header.count * header.record_size :].tobytes(), 0
    for node in range(header.count):
        if at + 4 > len(rest):
            return "it is cut off"
        (length,) = struct.unpack_from("=I", rest, at)
        places[node], layers[node] = at + 4, length // size
        if length % size:
            return "the links of a node in it have an impossible length"
        at += 4 + length
    if at != len(rest):
        return "it does not end where it should"
    if layers.max() != header.top_layer or layers[header.entry] != header.top_layer:
        return "a search of it begins in no layer of it"
    links = np.frombuffer(rest, np.uint8)
    for layer in range(1, header.top_layer + 1):
        starts: Numbers = places[layers >= layer] + (layer - 1) * size
        lists = links[starts[:, None] + np.arange(size)].view("<u4")
        if fault := _links_fault(lists[:, 0] & 0xFFFF, lists[:, 1:], layers >= layer):
            return fault
    return None
