"""What a run and its worker processes say to each other: JSON, and beside it bytes of files and arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from stsearch.dataclass_io import from_dict, to_dict
from stsearch.gallery.catalog import Failed, PhotoFile, Record, Spotted
from stsearch.images.files import Content
from stsearch.indexing.reader import ReadLimits
from stsearch.indexing.stages import ReadFile
from stsearch.types import TextInstance
from stsearch.worker_process import Message

_FLOAT = np.dtype(np.float32)


@dataclass(frozen=True, slots=True)
class Networks:
    """What finds words.

    Attributes:
        model: name or folder of the weights.
        device: auto, cpu or cuda[:N].
        engine: as of ``load_spotter``.
        reads: whether the recognizer reads what is found.
    """

    model: str
    device: str
    engine: str
    reads: bool


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What a worker process must know before its first file.

    Attributes:
        networks: that it loads.
        root: folder of the files, or their URL.
        limits: what a file may take.
        batch: photographs that are spotted at once, on a GPU; 0: as is usual.
        cores: that it may use.
    """

    networks: Networks
    root: str
    limits: ReadLimits
    batch: int
    cores: int


def pack_settings(settings: WorkerSettings) -> Message:
    """Return ``settings`` as a message."""
    return to_dict(settings)


def unpack_settings(message: Message) -> WorkerSettings:
    """Return what ``pack_settings`` packed."""
    return from_dict(WorkerSettings, dict(message))


def pack_files(files: Sequence[ReadFile]) -> tuple[Message, bytes]:
    """Return files that were read as a message, and the bytes they have with them."""
    listed = [
        {
            "file": to_dict(each.file),
            "sha256": each.content.sha256,
            "size": None if each.content.encoded is None else len(each.content.encoded),
        }
        for each in files
    ]
    return {"files": listed}, b"".join(each.content.encoded or b"" for each in files)


def unpack_files(message: Message, payload: bytes) -> list[ReadFile]:
    """Return what ``pack_files`` packed."""
    rest = _Rest(payload)
    return [
        ReadFile(
            PhotoFile(**each["file"]),
            Content(each["sha256"], None if each["size"] is None else rest.take(each["size"])),
        )
        for each in _listed(message, "files")
    ]


def pack_records(records: Iterable[Record]) -> tuple[Message, bytes]:
    """Return records of files that were spotted, or failed, as a message and the bytes of their arrays."""
    listed: list[dict[str, object]] = []
    arrays: list[bytes] = []
    for record in records:
        if isinstance(record, Spotted):
            known = {name: getattr(record, name) for name in _SPOTTED}
            known["instances"] = [_pack_instance(each, arrays) for each in record.instances]
        else:
            assert isinstance(record, Failed)
            known = {"reason": record.reason}
        listed.append({"file": to_dict(record.file), **known})
    return {"records": listed}, b"".join(arrays)


def unpack_records(message: Message, payload: bytes) -> list[Record]:
    """Return what ``pack_records`` packed."""
    rest = _Rest(payload)
    records: list[Record] = []
    for known in _listed(message, "records"):
        file = PhotoFile(**known.pop("file"))
        if "instances" in known:
            known["instances"] = [_unpack_instance(each, rest) for each in known["instances"]]
            records.append(Spotted(file, **known))
        else:
            records.append(Failed(file, **known))
    return records


_SPOTTED = [each.name for each in fields(Spotted) if each.name not in ("file", "instances")]
_ARRAYS = ("polygon", "embedding", "ctc_posteriors")
_INSTANCE = [each.name for each in fields(TextInstance) if each.name not in _ARRAYS]


def _pack_instance(instance: TextInstance, arrays: list[bytes]) -> dict[str, object]:
    some = [np.asarray(instance.polygon, _FLOAT).tobytes(), np.asarray(instance.embedding, _FLOAT).tobytes()]
    some.append(instance.ctc_posteriors)
    arrays += some
    known = {name: getattr(instance, name) for name in _INSTANCE}
    known["score"], known["confidence"] = float(instance.score), float(instance.confidence)
    known["characters"] = list(map(float, instance.characters))
    return {**known, "sizes": list(map(len, some))}


def _unpack_instance(known: dict[str, Any], rest: _Rest) -> TextInstance:  # Any: JSON
    polygon, embedding, posteriors = map(rest.take, known.pop("sizes"))
    known["characters"] = tuple(known["characters"])
    return TextInstance(
        polygon=np.frombuffer(polygon, _FLOAT).reshape(-1, 2),
        embedding=np.frombuffer(embedding, _FLOAT),
        ctc_posteriors=posteriors,
        **known,
    )


def _listed(message: Message, name: str) -> list[dict[str, Any]]:  # Any: JSON
    listed = message[name]
    assert isinstance(listed, list)
    return listed


class _Rest:
    """Bytes that are taken from the front."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._at = 0

    def take(self, size: int) -> bytes:
        self._at += size
        return self._payload[self._at - size : self._at]
