"""Write rendered scenes and word crops as a dataset, in the format of ``datasets.labelled_folder``."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from stsearch.errors import UsageError, WriteError
from stsearch.synth.contact_sheet import make_contact_sheet
from stsearch.synth.renderer import Renderer, SynthAssets
from stsearch.types import Image, Scene

_JPEG_QUALITY = 92
_CROP_SIZE = (64, 256)
_CROP_TRIES = 10  # renderings until the main word is readable


@dataclass(frozen=True)
class DatasetOptions:
    """What to write."""

    scenes: int
    crops: int = 0
    seed: int = 0
    size: int = 640  # pixels of both sides of a scene
    difficulty: float = 1.0  # in [0, 1]
    jobs: int = 1  # processes

    def __post_init__(self) -> None:
        if self.scenes < 0 or self.crops < 0 or self.scenes + self.crops == 0:
            raise UsageError(
                f"nothing to render: {self.scenes} scenes, {self.crops} crops; ask for one or more"
            )
        if self.size < 64:
            raise UsageError(f"scenes of {self.size} pixels hold no text; ask for 64 or more (--size)")
        if not 0 <= self.difficulty <= 1:
            raise UsageError(f"difficulty {self.difficulty} is outside [0, 1] (--difficulty)")
        if self.jobs < 1:
            raise UsageError(f"{self.jobs} processes cannot render; ask for 1 or more (--jobs)")


@dataclass(frozen=True)
class DatasetSummary:
    """What was written."""

    scenes: int
    words: int
    legible: int
    crops: int


@dataclass(frozen=True, eq=False)
class _Picture:
    """One rendering, encoded."""

    jpeg: bytes
    record: str  # a line of annotations.jsonl or labels.tsv
    words: tuple[str, ...] = ()  # transcripts of the readable ones
    illegible: int = 0


Progress = Callable[[int, str, Sequence[str]], None]


def write_dataset(
    assets: SynthAssets,
    out: Path,
    options: DatasetOptions,
    progress: Progress = lambda done, path, words: None,
) -> DatasetSummary:
    """Render ``images/*.jpg`` with ``annotations.jsonl``, and ``words/*.jpg`` with ``labels.tsv``.

    The bytes written depend on the assets and the options alone, not on how many processes render.

    Args:
        assets: what to render with.
        out: folder, made if missing; what an earlier call rendered there is replaced, all of it.
        options: how many of what.
        progress: called after each picture, with how many there are, the path of this one in ``out``, and the
            readable words on it.

    Raises:
        WriteError: the disk is full or the folder cannot be written.
        DataError: a font or background cannot be read.
    """
    words = legible = done = 0
    try:
        for kind, count in ((_SCENES, options.scenes), (_CROPS, options.crops)):
            if not count:
                continue
            (out / kind.folder).mkdir(parents=True, exist_ok=True)
            with (out / kind.labels).open("w", encoding="utf-8", newline="\n") as lines:
                for number, picture in enumerate(_render(assets, options, kind.draw, count)):
                    path = kind.path(number)
                    (out / path).write_bytes(picture.jpeg)
                    lines.write(picture.record + "\n")
                    done += 1
                    if kind is _SCENES:
                        words += len(picture.words) + picture.illegible
                        legible += len(picture.words)
                    progress(done, path, picture.words)
            _remove_from(out, kind, count)
    except OSError as error:
        raise WriteError(f"cannot write renderings to {out}: {error}") from error
    return DatasetSummary(options.scenes, words, legible, options.crops)


def _remove_from(out: Path, kind: _Kind, count: int) -> None:
    """Delete the pictures from number ``count`` on: an earlier call rendered more."""
    for path in out.glob(f"{kind.folder}/{kind.stem}_*.jpg"):
        number = path.stem.removeprefix(f"{kind.stem}_")
        if number.isdecimal() and int(number) >= count:
            path.unlink()


def scene_record(image: str, scene: Scene) -> str:
    """Return ``scene`` as one line of ``annotations.jsonl``; ``image`` is its path beside the annotations."""
    instances = [
        {
            "polygon": np.round(word.polygon.astype(float), 2).tolist(),
            "transcript": word.transcript,
            "legible": word.legible,
        }
        for word in scene.words
    ]
    height, width = scene.image.shape[:2]
    record = {"image": image, "height": height, "width": width, "instances": instances}
    return json.dumps(record, ensure_ascii=False, separators=(", ", ": "))


_Draw = Callable[[Renderer, DatasetOptions, int], _Picture]


def _render(assets: SynthAssets, options: DatasetOptions, draw: _Draw, count: int) -> Iterator[_Picture]:
    """Yield pictures 0 to ``count`` - 1 in order."""
    if options.jobs == 1:
        renderer = Renderer(assets, options.seed)
        for number in range(count):
            yield draw(renderer, options, number)
        return
    # Forked children would inherit the locks of whatever threads the caller runs.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, context, _start_worker, (assets, options)) as workers:
        yield from workers.map(
            partial(_draw_in_worker, draw), range(count), chunksize=max(1, min(16, count // options.jobs))
        )


_WORKER: list[tuple[Renderer, DatasetOptions]] = []


def _start_worker(assets: SynthAssets, options: DatasetOptions) -> None:
    _WORKER.append((Renderer(assets, options.seed), options))


def _draw_in_worker(draw: _Draw, number: int) -> _Picture:
    renderer, options = _WORKER[-1]
    return draw(renderer, options, number)


def _draw_scene(renderer: Renderer, options: DatasetOptions, number: int) -> _Picture:
    scene = renderer.scene(number, (options.size, options.size), options.difficulty)
    readable = tuple(word.transcript for word in scene.words if word.legible)
    record = scene_record(_SCENES.path(number), scene)
    return _Picture(_encode_jpeg(scene.image), record, readable, len(scene.words) - len(readable))


def _draw_crop(renderer: Renderer, options: DatasetOptions, number: int) -> _Picture:
    """Crop the main word, as in the word sets of the benchmarks, from the first legible rendering."""
    for attempt in range(_CROP_TRIES):
        scene = renderer.word(number + attempt * options.crops, _CROP_SIZE)
        if scene.words and scene.words[0].legible:
            break
    word = scene.words[0] if scene.words else None
    image = scene.image
    if word is not None:
        margin = 0.04 * (word.polygon[:, 1].max() - word.polygon[:, 1].min())
        x0, y0 = np.maximum(word.polygon.min(0) - margin, 0).astype(int)
        x1, y1 = np.ceil(word.polygon.max(0) + margin).astype(int)
        image = np.ascontiguousarray(image[y0 : max(y1, y0 + 2), x0 : max(x1, x0 + 2)])
    transcript = word.transcript if word is not None else ""
    record = f"{Path(_CROPS.path(number)).name}\t{transcript}"
    return _Picture(_encode_jpeg(image), record, (transcript,) if transcript else ())


@dataclass(frozen=True)
class _Kind:
    """A kind of picture: where it lies in the folder of the dataset, and what draws it."""

    folder: str
    stem: str
    labels: str
    draw: _Draw

    def path(self, number: int) -> str:
        return f"{self.folder}/{self.stem}_{number:06d}.jpg"


_SCENES = _Kind("images", "scene", "annotations.jsonl", _draw_scene)
_CROPS = _Kind("words", "word", "words/labels.tsv", _draw_crop)


def _encode_jpeg(image: Image) -> bytes:
    encoded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    return bytes(encoded)


def write_sheet(assets: SynthAssets, path: Path, options: DatasetOptions, max_pictures: int = 24) -> None:
    """Draw the first scenes, or crops where there is no scene, of a dataset onto one PNG.

    Raises:
        WriteError: ``path`` cannot be written.
    """
    renderer = Renderer(assets, options.seed)
    if options.scenes:
        size = (options.size, options.size)
        pictures = [
            renderer.scene(i, size, options.difficulty) for i in range(min(options.scenes, max_pictures))
        ]
    else:
        pictures = [renderer.word(i, _CROP_SIZE) for i in range(min(options.crops, max_pictures))]
    encoded = cv2.imencode(".png", make_contact_sheet(pictures, 4)[..., ::-1])[1]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(encoded))
    except OSError as error:
        raise WriteError(f"cannot write the contact sheet {path}: {error}") from error
