"""Street-like scenes: boards, labels and text alone on photographs, among distractors and occluders."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stsearch.synth.camera import CaptureConditions
from stsearch.synth.canvas import Canvas, Matrix, apply, scale_by, shift_by, turn_by
from stsearch.synth.distractors import draw_distractor, draw_occluder
from stsearch.synth.render_context import RenderContext, mean_colour, sample_clipped_normal
from stsearch.synth.signs import (
    Block,
    BlockSpec,
    make_badge_block,
    make_board_block,
    make_poster_block,
    make_text_block,
)
from stsearch.types import Image, Scene

_CELL = 4  # pixels; spots are searched on a grid this coarse
_MAX_TRIES = 8  # places that are tried for each block
_MAX_MISSES = 3  # blocks in a row without a place: the scene is full


@dataclass(frozen=True)
class Plan:
    """The contents of a scene to render."""

    kind: str  # "street", "closeup", "dense" or "empty"
    blocks: int
    min_height: float  # text height in pixels
    max_height: float
    distractors: int
    difficulty: float


def render_scene(context: RenderContext, rng: Generator, size: tuple[int, int], difficulty: float) -> Scene:
    """Return a (H, W) scene; ``difficulty`` 0: large clear text on smooth backgrounds, 1: as in streets."""
    plan = _plan_scene(rng, size, difficulty)
    canvas = Canvas(_make_background(context, rng, size, plan))
    space = _FreeSpace(canvas.image)
    for _ in range(plan.distractors):
        _add_distractor(context, rng, canvas, size)
    if plan.distractors:
        space.measure_edges(canvas.image)
    if plan.kind == "closeup":
        _add_close_up(context, rng, canvas, space, plan)
    misses = 0
    for _ in range(plan.blocks):
        misses = 0 if _add_block(context, rng, canvas, space, plan) else misses + 1
        if misses == _MAX_MISSES:
            break
    if rng.random() < 0.3 * difficulty:
        _add_occluders(context, rng, canvas)
    severity = float(rng.random() * (0.25 + 0.75 * difficulty))
    conditions = CaptureConditions(severity, max_blur=float(0.5 + 1.7 * difficulty * size[1] / 640))
    exposure = context.camera.expose(rng, canvas.image, conditions)
    return Scene(exposure.image, canvas.labels(exposure.image, exposure.blur_sigma))


def _plan_scene(rng: Generator, size: tuple[int, int], difficulty: float) -> Plan:
    chance = rng.random()
    side = min(size)
    min_height = (26 - 20 * difficulty) * max(side / 640, 0.6)
    max_height = max(min_height * 1.5, side * rng.uniform(0.06, 0.2))
    distractors = int(rng.poisson(2.5 * difficulty))
    if chance < 0.1 * difficulty:
        return Plan("empty", 0, min_height, max_height, distractors + int(rng.integers(0, 4)), difficulty)
    if chance < 0.28:
        return Plan("closeup", int(rng.integers(0, 4)), min_height, max_height, distractors // 2, difficulty)
    if chance < 0.42 + 0.2 * (1 - difficulty):
        return Plan("dense", int(rng.integers(12, 30)), min_height, max_height, distractors // 2, difficulty)
    return Plan("street", int(rng.integers(3, 15)), min_height, max_height, distractors, difficulty)


def _make_background(context: RenderContext, rng: Generator, size: tuple[int, int], plan: Plan) -> Image:
    """Return a photograph, at times with parts of others in it, like posters and windows."""
    backgrounds = context.backgrounds
    if rng.random() < 0.5 * (1 - plan.difficulty):
        image = backgrounds.smooth_crop(rng, size, 1.5, 4)
    else:
        image = backgrounds.crop(rng, size, float(rng.uniform(1, 2.2)))
    image = np.ascontiguousarray(image)
    if rng.random() < 0.35 * plan.difficulty:
        for _ in range(int(rng.integers(1, 4))):
            height, width = (int(v * rng.uniform(0.15, 0.6)) for v in size)
            y, x = (int(rng.integers(0, v)) for v in size)
            part = image[y : y + height, x : x + width]
            part[:] = backgrounds.crop(rng, (part.shape[0], part.shape[1]))
    if rng.random() < 0.1 * plan.difficulty:  # night
        return (image * np.float32(rng.uniform(0.25, 0.55))).astype(np.uint8)
    if rng.random() < 0.3 * (1 - plan.difficulty):
        flat = context.backgrounds.choose_sign_colour(rng)
        return (image * np.float32(0.2) + flat * np.float32(0.8)).astype(np.uint8)
    return image


class _FreeSpace:
    """Which cells of a scene hold no text yet, and how many edges each has."""

    def __init__(self, image: Image) -> None:
        self.shape = (image.shape[0] // _CELL + 1, image.shape[1] // _CELL + 1)
        self._occupied = np.zeros(self.shape, np.uint8)
        self.measure_edges(image)

    def measure_edges(self, image: Image) -> None:
        grey = cv2.resize(image[..., 1], self.shape[::-1], interpolation=cv2.INTER_AREA)
        edges = np.abs(cv2.Laplacian(grey, cv2.CV_32F))
        self._edge_sums = cv2.integral(np.asarray(edges))

    def occupy(self, corners: NDArray[np.float32]) -> None:
        cv2.fillConvexPoly(self._occupied, np.round(cv2.convexHull(corners) / _CELL).astype(np.int32), 1)

    def is_free(self, low: NDArray[np.floating], high: NDArray[np.floating]) -> bool:
        y, x, bottom, right = self._cells(low, high)
        return not self._occupied[y:bottom, x:right].any()

    def edge_density(self, low: NDArray[np.floating], high: NDArray[np.floating]) -> float:
        y, x, bottom, right = self._cells(low, high)
        total = (
            self._edge_sums[bottom, right]
            - self._edge_sums[y, right]
            - self._edge_sums[bottom, x]
            + self._edge_sums[y, x]
        )
        return float(total) / max((bottom - y) * (right - x), 1)

    def _cells(self, low: NDArray[np.floating], high: NDArray[np.floating]) -> tuple[int, int, int, int]:
        rows, columns = self.shape
        x, y = (max(0, int(v) // _CELL) for v in low)
        right, bottom = (int(v) // _CELL + 1 for v in high)
        y, x = min(y, rows - 1), min(x, columns - 1)
        return y, x, max(min(bottom, rows), y + 1), max(min(right, columns), x + 1)


def _sample_angle(rng: Generator, difficulty: float) -> float:
    """Return degrees: most words are level, some are slanted, few are vertical or upside down."""
    chance = rng.random()
    if chance < 0.62 or rng.random() > 0.3 + 0.7 * difficulty:
        return float(rng.normal(0, 2.5))
    if chance < 0.88:
        return float(rng.normal(0, 10))
    if chance < 0.93:
        return float(rng.choice((-90, 90)) + rng.normal(0, 3))
    if chance < 0.995:
        return float(rng.uniform(-75, 75))
    return float(180 + rng.normal(0, 5))


def _sample_transform(rng: Generator, extent: tuple[int, int], difficulty: float) -> Matrix:
    """Return a random rotation and perspective of a plane of (rows, columns) ``extent`` about its middle."""
    rows, columns = extent
    tilt, shear = np.eye(3), np.eye(3)
    if rng.random() < 0.2 + 0.5 * difficulty:
        tilt[2, 0] = sample_clipped_normal(rng, 0.2, 0.6) / columns
        tilt[2, 1] = sample_clipped_normal(rng, 0.1, 0.4) / rows
        shear[1, 0] = sample_clipped_normal(rng, 0.08, 0.3)
        shear[0, 1] = sample_clipped_normal(rng, 0.06, 0.3)
    squeeze = scale_by(float(np.exp(rng.normal(-0.03, 0.15))), 1)
    return (
        turn_by(np.deg2rad(_sample_angle(rng, difficulty)))
        @ shear
        @ tilt
        @ squeeze
        @ shift_by(-columns / 2, -rows / 2)
    )


def _add_block(context: RenderContext, rng: Generator, canvas: Canvas, space: _FreeSpace, plan: Plan) -> bool:
    """Draw a block of text where there is space, smaller if need be; return whether there was any."""
    height, width = canvas.image.shape[:2]
    height_px = float(np.exp(rng.uniform(np.log(plan.min_height), np.log(plan.max_height))))
    if plan.difficulty > 0.5 and rng.random() < 0.08:
        height_px *= rng.uniform(1.5, 3)
    low_contrast = 0.25 * plan.difficulty
    spec = BlockSpec(height_px, width / height_px * 1.2, plan.difficulty, low_contrast)
    chance = rng.random()
    is_text_alone = chance < 0.48
    make = make_text_block if is_text_alone else make_board_block if chance < 0.93 else make_badge_block
    block = make(context, rng, spec)
    transform = _sample_transform(rng, block.extent, plan.difficulty)
    scale = height_px / block.text_height
    corners = apply(scale_by(scale, scale) @ transform, block.outline)
    low, high = corners.min(0), corners.max(0)
    if (high - low)[0] > width * 1.1 or (high - low)[1] > height * 1.1:
        shrink = float(min(width / (high - low)[0], height / (high - low)[1]) * rng.uniform(0.7, 1))
        scale, corners, low, high = scale * shrink, corners * shrink, low * shrink, high * shrink
    may_be_cut = rng.random() < 0.12 * plan.difficulty
    place = _find_place(rng, space, (low, high), (height, width), is_text_alone, may_be_cut)
    if place is None and height_px * 0.66 > plan.min_height:
        scale, corners, low, high = scale * 0.66, corners * 0.66, low * 0.66, high * 0.66
        place = _find_place(rng, space, (low, high), (height, width), is_text_alone, may_be_cut)
    if place is None:
        return False
    matrix = shift_by(*place) @ scale_by(scale, scale) @ transform
    space.occupy((corners + place).astype(np.float32))
    _draw_block(context, rng, canvas, block, matrix)
    return True


def _find_place(
    rng: Generator,
    space: _FreeSpace,
    extent: tuple[NDArray[np.float32], NDArray[np.float32]],
    size: tuple[int, int],
    prefers_smooth: bool,
    may_be_cut: bool,
) -> NDArray[np.float64] | None:
    """Return a free place for the origin of a block of ``extent`` (low, high), or None."""
    low, high = extent
    frame = np.array([size[1], size[0]], np.float64)
    best: tuple[float, NDArray[np.float64]] | None = None
    for _ in range(_MAX_TRIES):
        slack = frame - (high - low)
        corner = rng.random(2) * slack
        if may_be_cut or (slack < 0).any():
            corner = rng.random(2) * frame - (high - low) / 2
        place = corner - low
        if not space.is_free(low + place - 2, high + place + 2):
            continue
        cost = space.edge_density(low + place, high + place) if prefers_smooth else 0.0
        if best is None or cost < best[0]:
            best = (cost, place)
            if not prefers_smooth:
                break
    return None if best is None else best[1]


def _draw_block(context: RenderContext, rng: Generator, canvas: Canvas, block: Block, matrix: Matrix) -> None:
    corners = apply(matrix, block.outline)
    height, width = canvas.image.shape[:2]
    x0, y0 = np.clip(corners.min(0), 0, (width - 1, height - 1)).astype(int)
    x1, y1 = np.clip(corners.max(0), 1, (width, height)).astype(int)
    background = mean_colour(canvas.image[y0 : max(y1, y0 + 1) : 2, x0 : max(x1, x0 + 1) : 2])
    canvas.blend(block.layer(rng, context, background), matrix)
    for text, polygon in zip(block.texts, block.polygons, strict=True):
        canvas.add_word(text, apply(matrix, polygon))


def _add_close_up(
    context: RenderContext, rng: Generator, canvas: Canvas, space: _FreeSpace, plan: Plan
) -> None:
    """Fill most of the frame with one board, as photographs of signs, covers and packages are."""
    height, width = canvas.image.shape[:2]
    block = make_poster_block(context, rng, (height, width), plan.difficulty)
    transform = _sample_transform(rng, block.extent, 0.5 * plan.difficulty)
    corners = apply(transform, block.outline)
    low, high = corners.min(0), corners.max(0)
    scale = float(min(width / (high - low)[0], height / (high - low)[1]) * rng.uniform(0.7, 1.15))
    slack = np.array([width, height]) - (high - low) * scale
    matrix = shift_by(*(slack * rng.uniform(0.2, 0.8, 2) - low * scale)) @ scale_by(scale, scale) @ transform
    space.occupy(apply(matrix, block.outline))
    _draw_block(context, rng, canvas, block, matrix)


def _add_distractor(context: RenderContext, rng: Generator, canvas: Canvas, size: tuple[int, int]) -> None:
    rows, columns = (int(v * np.exp(rng.uniform(np.log(0.04), np.log(0.45)))) + 12 for v in size)
    layer = draw_distractor(rng, context.backgrounds, (rows, columns))
    matrix = _sample_transform(rng, (rows, columns), 1.0)
    x, y = rng.random(2) * (size[1], size[0])
    canvas.blend(layer, shift_by(x, y) @ matrix, float(rng.uniform(0.5, 1)))


def _add_occluders(context: RenderContext, rng: Generator, canvas: Canvas) -> None:
    height, width = canvas.image.shape[:2]
    for _ in range(int(rng.integers(1, 4))):
        rows, columns = int(rng.uniform(0.1, 0.7) * height), int(rng.uniform(0.01, 0.12) * width) + 3
        layer = draw_occluder(rng, context.backgrounds, (rows, columns))
        matrix = shift_by(*(rng.random(2) * (width, height))) @ turn_by(float(rng.normal(0, 0.5)))
        matrix = matrix @ shift_by(-columns / 2, -rows / 2)
        canvas.blend(layer, matrix)
        occluded = cv2.warpPerspective(layer.alpha, matrix, (width, height))
        np.maximum(canvas.occluded, occluded, out=canvas.occluded)
