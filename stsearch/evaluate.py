"""Benchmarks as data, and what they measure: predict once, keep the predictions, score them many times."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from stsearch import metrics
from stsearch.charset import normalize, split_words
from stsearch.data.readers import read_dataset
from stsearch.errors import DataError, WriteError
from stsearch.image import read_image
from stsearch.index.gallery import Gallery
from stsearch.indexing import PhotoSpotter, Progress, index_photos
from stsearch.scoring import score_instances
from stsearch.search import Encoder
from stsearch.types import Sample, TextInstance

BATCH = 4  # photographs decoded ahead of one call of the spotter: bounds memory, keeps a device busy


@dataclass(frozen=True, slots=True)
class Benchmark:
    """How a set of labelled photographs becomes a gallery with queries and relevance."""

    name: str
    read: Callable[[Path], list[Sample]]
    min_length: int = 3  # shorter words are no queries

    @property
    def query_rule(self) -> str:
        """State which words are asked for and which photographs answer them."""
        return (
            f"every distinct readable word of {self.min_length} or more characters after folding (lower "
            "case, letters and digits only; a transcript with spaces counts as its words); a photograph "
            "is relevant when one of its readable transcripts contains the word"
        )

    def queries(self, samples: Sequence[Sample]) -> list[str]:
        """Return the queries of ``samples``, sorted.

        Raises:
            DataError: There is none.
        """
        queries = retrieval_queries(samples, self.min_length)
        if not queries:
            raise DataError(
                f"no query: the labels hold no readable word of {self.min_length} or more characters"
            )
        return queries

    def read_all(self, folders: Sequence[Path]) -> list[Sample]:
        """Return the samples of several folders, which make one gallery.

        Raises:
            DataError: A folder is missing, malformed or named twice, or there is no query in all of them.
        """
        samples = [sample for folder in folders for sample in self.read(folder)]
        if len({sample.image.resolve() for sample in samples}) < len(samples):
            raise DataError("a photograph is listed twice: name every folder once")
        self.queries(samples)
        return samples


BENCHMARKS: Mapping[str, Benchmark] = {
    "folder": Benchmark("folder", read_dataset),
}
"""Every benchmark by the name that ``stsearch eval --dataset`` takes."""

SCORING_RULE = (
    "mAP is the mean over queries of average precision over the whole gallery, ties sharing a threshold; "
    "a photograph scores as its best instance, 0 without any. Detection: one to one at IoU > 0.5, illegible "
    "words don't care (ICDAR 2015). Spotted: readable words detected and read exactly, in 36 characters"
)


def retrieval_queries(samples: Sequence[Sample], min_length: int = 3) -> list[str]:
    """Return the distinct readable words of ``min_length`` or more characters, folded and sorted."""
    words = set[str]().union(*map(readable_words, samples))
    return sorted(word for word in words if len(word) >= min_length)


def readable_words(sample: Sample) -> set[str]:
    """Return the folded words of the legible transcripts of ``sample``."""
    return {word for label in sample.words if label.legible for word in split_words(label.transcript)}


def relevance(samples: Sequence[Sample], queries: Sequence[str]) -> NDArray[np.bool_]:
    """Return (Q, N) bool: photograph n carries every word of query q."""
    words = [readable_words(sample) for sample in samples]
    wanted = [set(split_words(query)) for query in queries]
    return np.array([[q <= carried for carried in words] for q in wanted], dtype=bool).reshape(
        -1, len(samples)
    )


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What one set of weights found in photographs, by photograph."""

    instances: Mapping[Path, Sequence[TextInstance]]
    weights_sha256: str
    seconds: float  # that finding it took, decoding included

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
                    weights_sha256=np.array(self.weights_sha256),
                    seconds=np.array(self.seconds),
                )
        except OSError as error:
            raise WriteError(f"cannot write {path}: {error}") from error

    @classmethod
    def load(cls, path: Path) -> Predictions:
        """Read what ``save`` wrote.

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
                found = map(TextInstance, polygons, *fields, arrays["embeddings"])
                instances = {
                    Path(photo): [next(found) for _ in range(count)]
                    for photo, count in zip(
                        arrays["photos"].tolist(), arrays["instance_counts"].tolist(), strict=True
                    )
                }
                return cls(instances, str(arrays["weights_sha256"]), float(arrays["seconds"]))
        except (OSError, ValueError, KeyError) as error:
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
    spotter: PhotoSpotter, folders: Sequence[Path], progress: Callable[[Progress], None] = lambda done: None
) -> Predictions:
    """Find the text of every photograph in ``folders`` as a user does: index each, then read its gallery.

    Args:
        spotter: Finds the text.
        folders: Each gets a gallery of its own, in a temporary folder.
        progress: Told how far the folder at work is.

    Raises:
        WriteError: The disk is full.
    """
    instances: dict[Path, Sequence[TextInstance]] = {}
    seconds = 0.0
    with TemporaryDirectory(prefix="stsearch-eval-") as home:
        for number, folder in enumerate(folders):
            with Gallery.create(Path(home, str(number)), folder, spotter.info) as gallery:
                seconds += index_photos(gallery, spotter, progress=progress).seconds
                instances.update(read_gallery(gallery, folder))
    return Predictions(instances, spotter.info.sha256, seconds)


def read_gallery(gallery: Gallery, folder: Path) -> dict[Path, list[TextInstance]]:
    """Return what a gallery holds of every photograph that could be read.

    Args:
        gallery: Open, of the photographs in ``folder``.
        folder: As the paths of the result begin; ``gallery.photos`` is the same folder, resolved.
    """
    table = gallery.instances()
    details = gallery.details_of(table.ids.tolist())
    by_content: defaultdict[int, list[TextInstance]] = defaultdict(list)
    columns = (table.ids.tolist(), table.contents.tolist(), table.transcripts, table.confidences.tolist())
    for instance, content, transcript, confidence, embedding in zip(*columns, table.embeddings, strict=True):
        # A gallery forgets how sure the detector was: a word is in it or not.
        found = TextInstance(details[instance].polygon, 1.0, transcript, confidence, embedding)
        by_content[content].append(found)
    photos = ((path.relative_to(gallery.photos), content) for path, content in gallery.all_photos())
    return {folder / path: by_content[content] for path, content in photos}


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What a benchmark measured, and everything needed to repeat it."""

    benchmark: str
    query_rule: str
    scoring_rule: str
    weights_sha256: str
    photos: int
    average_precision: Mapping[str, float]  # by query
    detection: metrics.DetectionCounts
    spotting: metrics.DetectionCounts  # matched: read exactly, too
    photos_per_s: float  # speed of finding text, decoding included

    @property
    def mean_average_precision(self) -> float:
        """Return the mAP in [0, 1]."""
        return float(np.mean(list(self.average_precision.values())))


def score(
    samples: Sequence[Sample],
    predictions: Predictions,
    encoder: Encoder,
    fusion: float,
    benchmark: Benchmark = BENCHMARKS["folder"],
) -> Report:
    """Score ``predictions`` against the labels of ``samples``; no image network is involved.

    Args:
        samples: The photographs of the gallery with their labels.
        predictions: What was found in them.
        encoder: Embeds the queries, with the weights that made the predictions.
        fusion: Share of transcript edit similarity in the ranking score, in [0, 1].
        benchmark: Says what is asked for.

    Raises:
        DataError: There is no query, a photograph was not predicted, or the weights differ.
    """
    if predictions.weights_sha256 != encoder.info.sha256:
        raise DataError(
            f"the predictions were made with weights {predictions.weights_sha256:.12}, "
            f"the queries would be embedded with {encoder.info.sha256:.12}: predict again"
        )
    queries = benchmark.queries(samples)
    found = [predictions.of(sample) for sample in samples]
    scores = rank(queries, found, encoder, fusion)
    matchings = list(map(_match, samples, found))
    return Report(
        benchmark=benchmark.name,
        query_rule=benchmark.query_rule,
        scoring_rule=SCORING_RULE,
        weights_sha256=predictions.weights_sha256,
        photos=len(samples),
        average_precision=dict(
            zip(queries, map(metrics.average_precision, relevance(samples, queries), scores), strict=True)
        ),
        detection=_total(matching.counts for matching in matchings),
        spotting=_total(map(_count_spotted, samples, found, matchings)),
        photos_per_s=predictions.photos_per_s,
    )


def rank(
    queries: Sequence[str], found: Sequence[Sequence[TextInstance]], encoder: Encoder, fusion: float
) -> NDArray[np.float32]:
    """Return (Q, N) float32: how well each photograph answers each query.

    A photograph scores as its best instance for a word, 0 without any; as the mean over the words of a query.

    Source: TDSL section 3.4; MSTAR for queries of several words.
    """
    words = sorted({word for query in queries for word in split_words(query)})
    owners = np.repeat(np.arange(len(found)), [len(instances) for instances in found])
    instances = [instance for some in found for instance in some]
    transcripts = [instance.transcript for instance in instances]
    embeddings = np.array([instance.embedding for instance in instances], np.float32)
    best = {word: np.zeros(len(found), np.float32) for word in words}
    if instances:
        for word, embedding in zip(words, encoder(words), strict=True):
            scores = score_instances(word, embedding, embeddings, transcripts, fusion)
            np.maximum.at(best[word], owners, scores)
    return np.array([np.mean([best[word] for word in split_words(query)], axis=0) for query in queries])


def _match(sample: Sample, found: Sequence[TextInstance]) -> metrics.Matching:
    return metrics.match_detections(sample.words, [instance.polygon for instance in found], sample.partial)


def _count_spotted(
    sample: Sample, found: Sequence[TextInstance], matching: metrics.Matching
) -> metrics.DetectionCounts:
    """Count which readable words of one photograph were detected and read exactly, in the 36 characters."""
    labels = [normalize(word.transcript) if word.legible else "" for word in sample.words]
    read = sum(bool(labels[i]) and labels[i] == normalize(found[j].transcript) for i, j in matching.pairs)
    return metrics.DetectionCounts(read, sum(map(bool, labels)), matching.counts.detections)


def _total(counts: Iterable[metrics.DetectionCounts]) -> metrics.DetectionCounts:
    return sum(counts, start=metrics.DetectionCounts())
