"""Training batches: rendered and real views mixed, drawn by index, built in worker processes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from stsearch.config import Canvas, ModelConfig, RecognizerConfig, StageConfig
from stsearch.errors import DataError, ImageError, UsageError
from stsearch.images import read_image
from stsearch.synth.renderer import Renderer, SynthAssets
from stsearch.training.augment import cut_coarse_view, cut_scene_view, cut_word_view, place_crop, vary_colours
from stsearch.training.crops import (
    CropBatch,
    LabelledCrop,
    collate_crops,
    draw_rendered_size,
    label_whole_picture,
    label_words,
)
from stsearch.training.losses import CloseUpTargets, DetectionTargets
from stsearch.training.targets import close_up_target, detection_target, region_targets
from stsearch.types import Image, Sample, Scene

VIEWS_PER_PHOTO = 4
"""Word views cut from one decoded photograph: decoding is slower than cutting."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """One training step's input."""

    images: Tensor  # (B, 3, H, W) uint8
    detection: DetectionTargets
    edges: Tensor  # (R, 2, K, 2) float32 pixels of the image
    owner: Tensor  # (R,) int64
    words: list[str]  # R folded transcripts
    close_ups: CloseUpTargets | None = None  # None: they are not trained

    def to(self, device: torch.device) -> Batch:
        """Return the batch with its tensors on ``device``."""
        detection = DetectionTargets(
            *(
                getattr(self.detection, name).to(device, non_blocking=True)
                for name in DetectionTargets.__slots__
            )
        )
        images, edges, owner = (
            t.to(device, non_blocking=True) for t in (self.images, self.edges, self.owner)
        )
        close_ups = self.close_ups
        if close_ups is not None:
            needed, care = (t.to(device, non_blocking=True) for t in (close_ups.needed, close_ups.care))
            close_ups = CloseUpTargets(needed, care)
        return Batch(images, detection, edges, owner, self.words, close_ups)


@dataclass(frozen=True)
class TrainingData:
    """Rendering assets and labelled data that batches are drawn from."""

    assets: SynthAssets
    photos: tuple[Sample, ...] = ()
    crops: tuple[tuple[Path, str], ...] = ()
    seed: int = 0
    readable: tuple[Sample, ...] = field(init=False)  # the photos with at least one legible word

    def __post_init__(self) -> None:
        readable = tuple(s for s in self.photos if any(w.legible and w.transcript for w in s.words))
        object.__setattr__(self, "readable", readable)


def use_one_thread(_worker: int) -> None:
    """Keep a worker process to one core: there are as many workers as cores."""
    cv2.setNumThreads(0)


class BatchDataset(Dataset[Batch | CropBatch]):
    """Batch ``index`` of a stage is a function of (seed, stage, index): a resumed run goes on exactly."""

    def __init__(self, data: TrainingData, model: ModelConfig, stage: StageConfig, steps: int) -> None:
        self.data, self.model, self.stage, self.steps = data, model, stage, steps
        self.shares = np.array([canvas.share for canvas in stage.canvases])
        self.stage_key = int.from_bytes(stage.name.encode()[:4], "little")
        self._renderer: Renderer | None = None  # made in the worker: it holds caches

    def __len__(self) -> int:
        """Return the number of steps of the stage."""
        return self.steps

    def __getitem__(self, index: int) -> Batch | CropBatch:
        """Build batch ``index``."""
        random = np.random.default_rng([self.data.seed, self.stage_key, index])
        canvas = self.stage.canvases[random.choice(len(self.shares), p=self.shares / self.shares.sum())]
        if canvas.source == "crops":
            return self._crops(canvas, index, random)
        if canvas.source == "strings":
            return self._strings(canvas.batch, random)
        scenes: list[Scene] = []
        while len(scenes) < canvas.batch:
            scenes += self._draw(canvas, index, len(scenes), random)[: canvas.batch - len(scenes)]
        return collate(scenes, self.model, self.stage, random)

    def _draw(self, canvas: Canvas, index: int, position: int, random: np.random.Generator) -> list[Scene]:
        """Draw one scene, or a few views of one photograph."""
        size = (canvas.height, canvas.width)
        words = canvas.source == "words"
        # Views come in groups on word canvases: photographs are drawn less often by that factor.
        views = min(VIEWS_PER_PHOTO, canvas.batch) if words else 1
        kind = random.random()
        real, crop = self.stage.real_share / views, self.stage.crop_share if words else 0.0
        if self.data.readable and kind < real:
            return self._photo_views(canvas, views, random)
        if self.data.crops and 1 - crop < kind:
            return [self._crop_view(size, random)]
        key = index * 1024 + position
        if words:
            return [self._render().word(key, size)]
        start, end = self.stage.difficulty
        return [self._render().scene(key, size, start + (end - start) * index / max(self.steps, 1))]

    def _render(self) -> Renderer:
        if self._renderer is None:
            self._renderer = Renderer(self.data.assets, self.data.seed)
        return self._renderer

    def _crops(self, canvas: Canvas, index: int, random: np.random.Generator) -> CropBatch:
        config = self.model.recognizer
        if config is None:
            raise UsageError(f"stage {self.stage.name}: model {self.model.name} has no recognizer to train")
        words: list[LabelledCrop] = []
        for attempt in itertools.count():
            words += self._draw_words(config, index * 1024 + attempt, random)
            if len(words) >= canvas.batch:
                break
        return collate_crops(words[: canvas.batch], canvas, self.stage, random)

    def _strings(self, count: int, random: np.random.Generator) -> CropBatch:
        """Draw labels of real crops, and words of the rendering corpus for the rest."""
        corpus, crops = self._render().corpus, self.data.crops
        real = random.random(count) < self.stage.crop_share if crops else np.zeros(count, np.bool_)
        words = [crops[random.integers(len(crops))][1] if each else corpus.word(random) for each in real]
        return CropBatch(torch.zeros(0, 3, 0, 0, dtype=torch.uint8), words)

    def _draw_words(
        self, config: RecognizerConfig, key: int, random: np.random.Generator
    ) -> list[LabelledCrop]:
        """Draw a few words of one photograph, a crop, or the words of a rendered picture."""
        kind = random.random()
        if self.data.readable and kind < self.stage.real_share / VIEWS_PER_PHOTO:
            sample = self.data.readable[random.integers(len(self.data.readable))]
            words = label_words(_load(sample.image), sample.words, config)
            return [words[i] for i in random.permutation(len(words))[:VIEWS_PER_PHOTO]]
        if self.data.crops and 1 - self.stage.crop_share < kind:
            path, transcript = self.data.crops[random.integers(len(self.data.crops))]
            return label_whole_picture(_load(path), transcript, config)
        scene = self._render().word(key, draw_rendered_size(random))
        return label_words(scene.image, scene.words, config)

    def _photo_views(self, canvas: Canvas, views: int, random: np.random.Generator) -> list[Scene]:
        size = (canvas.height, canvas.width)
        sample = self.data.readable[random.integers(len(self.data.readable))]
        photo = Scene(_load(sample.image), sample.words, sample.partial)
        if canvas.source == "coarse":
            cut = [cut_coarse_view(photo, size, self.model.sizes[0], random)]
        elif canvas.source == "scenes":
            cut = [cut_scene_view(photo, size, self.model.longer_side, random)]
        else:
            legible = [word for word in photo.words if word.legible and word.transcript]
            chosen = random.permutation(len(legible))[:views]
            cut = [cut_word_view(photo, legible[i], size, random) for i in chosen]
        return [Scene(vary_colours(view.image, random), view.words, view.partial) for view in cut]

    def _crop_view(self, size: tuple[int, int], random: np.random.Generator) -> Scene:
        path, transcript = self.data.crops[random.integers(len(self.data.crops))]
        view = place_crop(_load(path), transcript, size, random)
        return Scene(vary_colours(view.image, random), view.words, view.partial)


def _load(path: Path) -> Image:
    """Decode a training image as displayed, which is the frame of its labels.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return read_image(path)
    except ImageError as error:
        raise DataError(f"training image {error}") from error


def collate(
    scenes: Sequence[Scene], model: ModelConfig, stage: StageConfig, random: np.random.Generator
) -> Batch:
    """Stack equally sized scenes and their targets."""
    images = torch.from_numpy(np.stack([scene.image for scene in scenes])).permute(0, 3, 1, 2).contiguous()
    targets = [detection_target(scene, model.detector) for scene in scenes]
    regions = [
        (owner, region)
        for owner, scene in enumerate(scenes)
        for region in region_targets(scene.words, model.embedder, stage, random)
    ]
    kept = [regions[i] for i in np.sort(random.permutation(len(regions))[: stage.max_regions])]
    columns = model.embedder.region[1]
    edges = (
        np.stack([region.edges for _, region in kept]) if kept else np.zeros((0, 2, columns, 2), np.float32)
    )

    def stack(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(target, name) for target in targets]))

    detection = DetectionTargets(*(stack(name) for name in DetectionTargets.__slots__))
    owner = torch.tensor([owner for owner, _ in kept], dtype=torch.long)
    words = [region.word for _, region in kept]
    close_ups = _collate_close_ups(scenes, model) if stage.weights.close_ups else None
    return Batch(images, detection, torch.from_numpy(edges), owner, words, close_ups)


def _collate_close_ups(scenes: Sequence[Scene], model: ModelConfig) -> CloseUpTargets:
    if model.close_ups is None:
        raise UsageError(f"model {model.name} has no close-up map to train: set close_ups")
    targets = [close_up_target(scene, model.close_ups, model.sizes[0]) for scene in scenes]
    needed, care = (np.stack(maps) for maps in zip(*((t.needed, t.care) for t in targets), strict=True))
    return CloseUpTargets(torch.from_numpy(needed), torch.from_numpy(care))
