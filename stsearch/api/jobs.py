"""Long jobs: indexing photographs, training weights, measuring them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from stsearch.api.index_plan import IndexPlan
from stsearch.api.model import Model, check_device, load
from stsearch.api.photos import Photos, warn
from stsearch.api.progress import shown
from stsearch.errors import GalleryLockedError, GalleryUnreadableError, UsageError, WriteError
from stsearch.gallery import registry, trust
from stsearch.gallery.access import create_gallery, open_gallery
from stsearch.gallery.address import DatabaseUrl
from stsearch.gallery.protocol import Notify
from stsearch.images import MAX_BYTES, MAX_MEGAPIXELS
from stsearch.indexing.actors import Actors
from stsearch.indexing.changes import IndexReport
from stsearch.indexing.cluster import is_ray
from stsearch.indexing.indexer import IndexOptions, index_photos
from stsearch.indexing.progress import Progress
from stsearch.indexing.reader import PHOTO_TIMEOUT_S, ReadLimits
from stsearch.indexing.worker_count import worker_count
from stsearch.indexing.worker_messages import Networks
from stsearch.indexing.worker_processes import Loaded, WorkerProcesses
from stsearch.objects.url import Location
from stsearch.search import query_encoder
from stsearch.spotting.lazy import LazySpotter
from stsearch.types import ModelInfo, PhotoSpotter
from stsearch.weights import card
from stsearch.weights.devices import find_device
from stsearch.worker_pool import usable_cores

if TYPE_CHECKING:
    from stsearch.evaluation.predictions import Conditions, Predictions
    from stsearch.evaluation.recognition import WordReport
    from stsearch.evaluation.scoring import Report
    from stsearch.search.engine import Encoder
    from stsearch.training.options import Progress as TrainProgress
    from stsearch.training.options import TrainOptions
    from stsearch.types import Sample
    from stsearch.weights.card import Card

    Callback = Callable[[Progress], None]
    _Predict = Callable[[Sequence[Path], Sequence[Sample], Callback], Predictions]


def index(
    folder: Location | str | IndexPlan,
    *,
    gallery: Path | str | DatabaseUrl | None = None,
    model: str | Model = "tiny",
    device: str = "auto",
    engine: str = "auto",
    read: bool = True,
    batch: int | None = None,
    exclude: Sequence[str] = (),
    follow: bool = False,
    only: Sequence[Path | str] | None = None,
    max_megapixels: float = MAX_MEGAPIXELS,
    max_bytes: int = MAX_BYTES,
    photo_timeout_s: float = PHOTO_TIMEOUT_S,
    first_page: bool = False,
    reread: bool = False,
    moved: bool = False,
    prune: bool = False,
    progress: bool | Callable[[Progress], None] = False,
    workers: int | None = None,
    loaded: Callable[[ModelInfo, Loaded], None] = lambda info, loaded: None,
    notify: Notify = warn,
) -> Photos:
    """Read the words in the photographs of a folder, so that they can be searched.

    Only new content is read, so call it again after photographs came, went or changed; without any no
    network is loaded. Whatever ends it, what was finished is kept, and the same call goes on from there.

    Args:
        folder: of photographs, or the URL of a bucket or a prefix; or a plan for it, made of the same
            ``gallery``, ``exclude``, ``follow`` and ``only``, which are not looked at then.
        gallery: folder for the gallery, or the URL of a PostgreSQL database; None: ``folder``/.stsearch, or
            in the user's data for a URL, or if read-only.
        model: an installed name, a folder of weights, or what :func:`load` returned.
        device: auto, cpu or cuda[:N].
        engine: what computes: auto (on a CPU exported graphs, else torch), openvino, onnx or torch; or
            ray, or ray://HOST:PORT of the head of a cluster: actors there, each with what is best for it.
        read: whether the recognizer reads what is found; without it, faster and with rougher transcripts.
        batch: photographs at once; None: 4, on a GPU 32.
        exclude: patterns of what to leave out, as lines of .stsearchignore.
        follow: whether symbolic links to folders and files are followed.
        only: photographs to look at; None: all.
        max_megapixels: larger photographs are refused without decoding them.
        max_bytes: larger files are refused without reading them.
        photo_timeout_s: seconds after which reading a file, or decoding a page of it, is given up.
        first_page: of files with several pages, and of animations, only the first page is read.
        reread: whether all photographs are read again, in place, also by other weights than before.
        moved: whether the photographs that ``gallery`` holds lie in ``folder`` now.
        prune: whether missing photographs are removed even if it looks as if a share were not mounted.
        progress: True shows a bar (tqdm, in notebooks too); or a callable that is told how far the run is.
        workers: processes that look for words at the same time; 1: this one does. None: STSEARCH_WORKERS, or
            as many as there are cores and memory for. What :func:`load` returned stays in this process.
        loaded: is told once the networks are loaded, whose, and what they compute with.
        notify: is told in one sentence when something is slower or less than it could be.

    Returns:
        The photographs, open for searching, with the report of this run. Where there are none, no gallery is
        made.

    Raises:
        PhotosMissingError: the folder is empty now, and its gallery is gone.
        PhotosUnreachableError: the bucket cannot be reached, or not any more; what was done is kept.
        GalleryLockedError: another process is writing to the gallery.
        GalleryDamagedError, GalleryUnreadableError, GalleryUntrustedError: as :func:`open`.
        WeightsError, DeviceError: as :func:`load`; WeightsError also where other weights made the gallery.
        WriteError: the gallery cannot be written to.
    """
    if batch is not None and batch < 1:
        raise UsageError(f"batch is a whole number from 1 on, not {batch}")
    plan = folder if isinstance(folder, IndexPlan) else IndexPlan.of(folder, gallery, exclude, follow, only)
    options = IndexOptions(
        batch or 0,
        max(2, usable_cores()),
        ReadLimits(max_bytes, max_megapixels, photo_timeout_s, first_page),
        plan.rules,
        read,
        prune,
    )
    name = model if isinstance(model, str) else model.name
    is_for_ray = is_ray(engine)
    if not is_for_ray:
        check_device(device)
    info = card.check_weights(name).info if isinstance(model, str) else model.info

    def tell(found: Loaded) -> None:
        loaded(info, found)
        writable.note_engine(f"{found.device}, {found.precision}")

    def load_networks() -> PhotoSpotter:
        spotter = (load(model, device, read, engine) if isinstance(model, str) else model).spotter
        tell(Loaded(spotter.device, spotter.precision))
        return spotter.for_indexing()

    spotter: PhotoSpotter | WorkerProcesses | Actors = LazySpotter(info, load_networks)
    if isinstance(model, str):
        spotter = _processes(info, Networks(model, device, engine, read), workers, tell) or spotter
    elif is_for_ray:
        raise UsageError(f"what is loaded stays here: give the name of weights with engine={engine!r}")

    with shown(progress, "photo", _state) as callback:
        walk = plan.first_walk(prune, notify)
        if walk is not None and not (walk.files or walk.failed):
            return Photos([], name, notify, IndexReport(passed_over=dict(walk.passed_over)))
        with create_gallery(plan.place, plan.photos, info, notify, reread, moved) as writable:
            if isinstance(plan.place, Path):
                _list(plan.place, walk is not None, notify)
            report = index_photos(writable, spotter, options, callback, walk)
            writable.note_run()
    if report.vanished:
        notify(str(report.vanished))
    return Photos([open_gallery(plan.place, notify)], name, notify, report)


def _processes(
    info: ModelInfo, networks: Networks, count: int | None, loaded: Callable[[Loaded], None]
) -> WorkerProcesses | Actors | None:
    """Return the processes or actors that look for words; None: one is enough, and that is this.

    Raises:
        UsageError: so many there cannot be.
        DeviceError: there is no such device.
    """
    given = os.environ.get("STSEARCH_WORKERS") if count is None else str(count)
    if given is not None and (not given.isascii() or not given.isdigit() or int(given) < 1):
        raise UsageError(f"the number of workers is a whole number from 1 on, not {given!r}")
    if is_ray(networks.engine):
        actors = Actors(info, networks, networks.engine, None if given is None else int(given), loaded)
        actors.check()
        return actors
    if given == "1" or networks.engine == "torch":
        return None
    on_cpu = find_device(networks.device) == "cpu"
    wanted = worker_count(on_cpu) if given is None else int(given)
    return None if wanted == 1 else WorkerProcesses(info, networks, wanted, on_cpu, loaded)


def _list(place: Path, is_new: bool, notify: Notify) -> None:
    """List a gallery for searching; where that cannot be written down, the gallery is none the worse.

    A share may give its files to another user: the gallery that was made there is trusted.
    """
    home = registry.data_home(os.environ)
    try:
        registry.register(place, home)
        if is_new:
            trust.trust(place, home)
    except (WriteError, GalleryLockedError, GalleryUnreadableError) as error:
        notify(f"{place} is not listed among your galleries, so name it when you search: {error}")


def _state(now: Progress) -> tuple[int, int, str]:
    return now.done, now.total, f"{now.words} words"


def train(options: TrainOptions, progress: bool | Callable[[TrainProgress], None] = False) -> Card:
    """Train a network; what is done is kept in checkpoints that can be searched with.

    Args:
        options: what is trained, on what, and where checkpoints go.
        progress: True shows a bar (tqdm, in notebooks too); or a callable that is told how far the run is.

    Returns:
        The card of the best checkpoint.

    Raises:
        UsageError, DataError: options, configuration or data cannot be used.
        TrainingError: a loss is no longer finite.
        WriteError: a checkpoint cannot be written; what was written before is intact.
    """
    from stsearch.training.train import train as run

    def state(now: TrainProgress) -> tuple[int, int, str]:
        losses = " ".join(f"{name} {loss:.3f}" for name, loss in now.losses.items())
        return now.step, now.steps if losses else 0, losses or now.at

    with shown(progress, "step", state) as callback:
        return run(options, callback)


def evaluate(
    data: Sequence[Path | str],
    dataset: str = "folder",
    *,
    model: str = "tiny",
    device: str = "auto",
    engine: str = "auto",
    baseline: str | None = None,
    min_query_length: int | None = None,
    predictions: Path | None = None,
    rescore: bool = False,
    progress: bool | Callable[[Progress], None] = False,
) -> Report:
    """Measure retrieval, detection and reading on labelled photographs, through the code that search uses.

    Args:
        data: folders of labelled photographs; FOLDER:partial where not all text is labelled, FOLDER:weak
            where outlines are rough.
        dataset: benchmark whose rules apply, such as svt.
        model: an installed name, or a folder of weights.
        device: auto, cpu or cuda[:N].
        engine: what computes: auto (on a CPU exported graphs, else torch), openvino, onnx or torch.
        baseline: measure this OCR engine instead: rapidocr or tesseract.
        min_query_length: characters; shorter words are no queries. None: as the benchmark says.
        predictions: keep what was found in this .npz file.
        rescore: score ``predictions``, and find nothing anew.
        progress: True shows a bar (tqdm, in notebooks too); or a callable that is told how far the run is.

    Raises:
        UsageError: there is no such benchmark or engine, or the options contradict each other.
        DataError: labels are missing, incomplete or malformed.
        WeightsError, DeviceError: as :func:`load`.
    """
    from stsearch.datasets.labelled_folder import parse_labelled_folder
    from stsearch.evaluation.catalogue import find_benchmark
    from stsearch.evaluation.predictions import Predictions
    from stsearch.evaluation.scoring import score

    if rescore and predictions is None:
        raise UsageError("rescore needs predictions, as an earlier run kept them")
    folders = [Path(each) for each in data]
    benchmark = find_benchmark(dataset, min_query_length)
    truth = benchmark.load(folders)
    if baseline is not None:
        truth = truth.for_retrieval()
    encoder, predict = _system(model, device, engine, baseline)
    if rescore and predictions is not None:
        found = Predictions.load(predictions)
    else:
        with shown(progress, "photo", _state) as callback:
            photos = [parse_labelled_folder(folder).path for folder in folders]
            found = predict(photos, truth.samples, callback)
        if predictions is not None:
            found.save(predictions)
    return score(truth, found, encoder)


def _system(model: str, device: str, engine: str, baseline: str | None) -> tuple[Encoder, _Predict]:
    """Return what embeds queries, and what finds the words of photographs: weights or an OCR engine."""
    from stsearch.evaluation.machine import conditions_of, engine_conditions
    from stsearch.evaluation.predictions import predict_by_indexing

    if baseline is not None:
        from stsearch.evaluation.baselines import EditSimilarity, load_baseline

        peer = load_baseline(baseline)
        encoder: Encoder = EditSimilarity(peer.info)

        def load_system() -> tuple[PhotoSpotter, Callable[[], Conditions]]:
            return peer, lambda: engine_conditions(peer.name)

    else:
        encoder = query_encoder.load_query_encoder(model)

        def load_system() -> tuple[PhotoSpotter, Callable[[], Conditions]]:
            spotter = load(model, device, engine=engine).spotter
            return spotter.for_indexing(), lambda: conditions_of(spotter, model)

    def predict(folders: Sequence[Path], samples: Sequence[Sample], callback: Callback) -> Predictions:
        spotter, conditions = load_system()
        found = predict_by_indexing(spotter, folders, samples, callback)
        return replace(found, conditions=conditions())

    return encoder, predict


def evaluate_words(
    items: Iterable[tuple[Path | bytes, str]],
    *,
    model: str = "tiny",
    device: str = "auto",
    engine: str = "auto",
) -> WordReport:
    """Measure reading alone, on word crops: each read once, as :func:`index` does, and with augmentation.

    Args:
        items: crops, as files or their bytes, and their labels.
        model: an installed name, or a folder of weights.
        device: auto, cpu or cuda[:N].
        engine: what computes: auto (on a CPU exported graphs, else torch), openvino, onnx or torch.

    Raises:
        DataError: no label holds a letter or digit.
        ImageError: a crop cannot be read.
        WeightsError, DeviceError: as :func:`load`; WeightsError also where there is no recognizer.
    """
    [measured] = evaluate_word_sets([("", items)], model=model, device=device, engine=engine)
    return measured.report


@dataclass(frozen=True, slots=True)
class MeasuredWords:
    """The figures of a set of word crops.

    Attributes:
        name: of the set.
        report: its figures.
        conditions: of the run.
        weights_sha256: checksum of the weights.
    """

    name: str
    report: WordReport
    conditions: Conditions
    weights_sha256: str


def evaluate_word_sets(
    sets: Iterable[tuple[str, Iterable[tuple[Path | bytes, str]]]],
    *,
    model: str = "tiny",
    device: str = "auto",
    engine: str = "auto",
    progress: Callable[[str, int], None] = lambda name, done: None,
) -> Iterator[MeasuredWords]:
    """Yield what :func:`evaluate_words` measures on each of ``sets``, the recognizer loaded once.

    Args:
        sets: names, each with its crops and their labels.
        model: an installed name, or a folder of weights.
        device: auto, cpu or cuda[:N].
        engine: what computes: auto (on a CPU exported graphs, else torch), openvino, onnx or torch.
        progress: is told the set at work, and how many of its crops are read.

    Raises:
        DataError, ImageError, WeightsError, DeviceError: as :func:`evaluate_words`.
    """
    from stsearch.evaluation import recognition
    from stsearch.evaluation.machine import recognizer_conditions
    from stsearch.spotting.load import load_recognizer_runner

    recognizer = load_recognizer_runner(model, device, engine)
    sha256 = card.read_card(card.find_weights(model)).identity
    for name, items in sets:
        report = recognition.evaluate_words(recognizer, items, partial(progress, name), augment=True)
        yield MeasuredWords(name, report, recognizer_conditions(recognizer, model), sha256)
