"""Predictions: the text found in labelled photographs, kept in a file to be scored any number of times."""

from __future__ import annotations

import itertools
import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from stsearch.dataclass_io import parse_json
from stsearch.errors import DataError, WriteError
from stsearch.gallery.gallery import Gallery
from stsearch.images import read_image
from stsearch.indexing.indexer import IndexOptions, index_photos
from stsearch.indexing.progress import Progress
from stsearch.indexing.reader import ReadLimits
from stsearch.indexing.walk import WalkRules
from stsearch.types import PhotoSpotter, Sample, TextInstance

BATCH = 4  # photographs decoded ahead of one call of the spotter: bounds memory, keeps a device busy


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditions of a run, without which a speed says nothing. Unknown is empty, or 0."""

    system: str = ""  # weights or engine
    hardware: str = ""
    precision: str = ""
    input_size: str = ""
    peak_memory_bytes: int = 0  # of the process and of the programs it runs
    device_memory_bytes: int = 0  # of a GPU


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """The text instances that one set of weights found, by photograph."""

    instances: Mapping[Path, Sequence[TextInstance]]
    weights_sha256: str
    seconds: float  # that finding it took, decoding included
    conditions: Conditions = Conditions()
    unreadable: tuple[Path, ...] = ()  # photographs that count as without any word

    @property
    def photos_per_s(self) -> float:
        """Return the speed; 0 when it was not measured."""
        return len(self.instances) / self.seconds if self.seconds else 0.0

    def of(self, sample: Sample) -> Sequence[TextInstance]:
        """Return the instances of one photograph.

        Raises:
            DataError: The photograph was not predicted.
        """
        if sample.image not in self.instances:
            raise DataError(
                f"the predictions do not cover {sample.image}: predict again with the same --data"
            )
        return self.instances[sample.image]

    def save(self, path: Path) -> None:
        """Write everything to one ``.npz`` file, without pickle.

        Raises:
            WriteError: The file cannot be written.
        """
        found = [instance for instances in self.instances.values() for instance in instances]
        try:
            with path.open("wb") as file:
                np.savez_compressed(
                    file,
                    photos=np.array([photo.as_posix() for photo in self.instances], dtype=np.str_),
                    instance_counts=np.array([len(some) for some in self.instances.values()], dtype=np.int64),
                    point_counts=np.array([len(instance.polygon) for instance in found], dtype=np.int64),
                    points=np.concatenate(
                        [np.zeros((0, 2), np.float32), *(instance.polygon for instance in found)]
                    ),
                    scores=np.array([instance.score for instance in found], dtype=np.float64),
                    transcripts=np.array([instance.transcript for instance in found], dtype=np.str_),
                    confidences=np.array([instance.confidence for instance in found], dtype=np.float64),
                    embeddings=np.array([instance.embedding for instance in found], dtype=np.float32),
                    ctc_posterior_bytes=np.array(
                        [len(instance.ctc_posteriors) for instance in found], dtype=np.int64
                    ),
                    ctc_posteriors=np.frombuffer(
                        b"".join(instance.ctc_posteriors for instance in found), np.uint8
                    ),
                    weights_sha256=np.array(self.weights_sha256),
                    seconds=np.array(self.seconds),
                    conditions=np.array(json.dumps(asdict(self.conditions))),
                    unreadable=np.array([photo.as_posix() for photo in self.unreadable], dtype=np.str_),
                )
        except OSError as error:
            raise WriteError(f"cannot write {path}: {error}") from error

    @classmethod
    def load(cls, path: Path) -> Predictions:
        """Read the file that ``save`` wrote.

        Raises:
            DataError: The file is missing or holds no predictions.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                polygons = np.split(arrays["points"], np.cumsum(arrays["point_counts"])[:-1])
                fields = (
                    arrays["scores"].tolist(),
                    arrays["transcripts"].tolist(),
                    arrays["confidences"].tolist(),
                )
                ends = np.cumsum(arrays["ctc_posterior_bytes"])[:-1]
                posteriors = [each.tobytes() for each in np.split(arrays["ctc_posteriors"], ends)]
                no_characters = itertools.repeat(())
                found = map(TextInstance, polygons, *fields, arrays["embeddings"], no_characters, posteriors)
                instances = {
                    Path(photo): [next(found) for _ in range(count)]
                    for photo, count in zip(
                        arrays["photos"].tolist(), arrays["instance_counts"].tolist(), strict=True
                    )
                }
                return cls(
                    instances,
                    str(arrays["weights_sha256"]),
                    float(arrays["seconds"]),
                    Conditions(**parse_json(str(arrays["conditions"]))),
                    tuple(map(Path, arrays["unreadable"].tolist())),
                )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path} holds no predictions: {error}") from error


def predict(
    spotter: PhotoSpotter, samples: Sequence[Sample], progress: Callable[[int], None] = lambda done: None
) -> Predictions:
    """Find the text of every photograph of ``samples`` in memory.

    Args:
        spotter: Finds the text.
        samples: Their photographs are read from disk.
        progress: Called with the number of photographs done.

    Raises:
        ImageError: A photograph cannot be read.
    """
    start = time.perf_counter()
    instances: dict[Path, Sequence[TextInstance]] = {}
    for first in range(0, len(samples), BATCH):
        photos = [sample.image for sample in samples[first : first + BATCH]]
        instances.update(zip(photos, spotter.spot([read_image(photo) for photo in photos]), strict=True))
        progress(len(instances))
    return Predictions(instances, spotter.info.sha256, time.perf_counter() - start)


def predict_by_indexing(
    spotter: PhotoSpotter,
    folders: Sequence[Path],
    samples: Sequence[Sample],
    progress: Callable[[Progress], None] = lambda done: None,
) -> Predictions:
    """Find the text of photographs as a user does: index the folder each lies in, then read its gallery.

    Args:
        spotter: Finds the text.
        folders: Each gets a gallery of its own, in a temporary folder.
        samples: Photographs in these folders; others there are not read.
        progress: Told how far the folder at work is.

    Raises:
        WriteError: The disk is full.
    """
    instances: dict[Path, Sequence[TextInstance]] = {}
    seconds = 0.0
    with TemporaryDirectory(prefix="stsearch-eval-") as home:
        for number, folder in enumerate(folders):
            inside = [sample.image for sample in samples if sample.image.is_relative_to(folder)]
            only = tuple(photo.relative_to(folder).as_posix() for photo in inside)
            options = IndexOptions(
                BATCH, limits=ReadLimits(first_page=True), rules=WalkRules(only=only, follow=True)
            )
            with Gallery.create(Path(home, str(number)), folder, spotter.info) as gallery:
                seconds += index_photos(gallery, spotter, options, progress).seconds
                instances.update(read_gallery(gallery, folder))
    unreadable = tuple(sample.image for sample in samples if sample.image not in instances)
    instances |= dict.fromkeys(unreadable, ())
    return Predictions(instances, spotter.info.sha256, seconds, unreadable=unreadable)


def read_gallery(gallery: Gallery, folder: Path) -> dict[Path, list[TextInstance]]:
    """Return the text instances in a gallery, by photograph.

    Args:
        gallery: Open, of the photographs in ``folder``.
        folder: As the paths of the result begin; ``gallery.photos`` is the same folder, resolved.
    """
    table = gallery.instances()
    details = gallery.details_of(table.ids.tolist())
    by_content: defaultdict[int, list[TextInstance]] = defaultdict(list)
    fields = (table.ids.tolist(), table.contents.tolist(), table.transcripts, table.confidences.tolist())
    for instance, content, transcript, confidence, embedding in zip(*fields, table.embeddings, strict=True):
        detail = details[instance]
        found = TextInstance(
            detail.polygon,
            detail.score,
            transcript,
            confidence,
            embedding,
            detail.characters,
            detail.ctc_posteriors,
        )
        by_content[content].append(found)
    return {folder / path: by_content[content] for path, content in gallery.catalog.photos()}
