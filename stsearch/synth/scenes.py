"""Street-like scenes: boards, labels, paragraphs and bare lettering on photographs, among other things."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stsearch.synth.camera import Shot
from stsearch.synth.canvas import Canvas, Matrix, apply, scale_by, shift_by, turn_by
from stsearch.synth.distractors import draw_distractor, draw_occluder
from stsearch.synth.render_context import RenderContext, bounded_normal, mean_colour
from stsearch.synth.signs import Block, Wish, badge_block, bare_block, board_block, poster_block
from stsearch.types import Image, Scene

_CELL = 4  # pixels; spots are searched on a grid this coarse
_TRIES = 8  # spots looked at for each block
_MISSES = 3  # blocks in a row without a spot: the scene is full


@dataclass(frozen=True)
class Plan:
    """What a scene will hold."""

    kind: str  # "street", "closeup", "dense" or "empty"
    blocks: int
    lowest: float  # text height in pixels
    highest: float
    distractors: int
    difficulty: float


def render_scene(context: RenderContext, rng: Generator, size: tuple[int, int], difficulty: float) -> Scene:
    """Return a (H, W) scene; ``difficulty`` 0: large clear text on calm grounds, 1: the mix of the street."""
    plan = _plan(rng, size, difficulty)
    canvas = Canvas(_ground(context, rng, size, plan))
    room = _Room(canvas.image)
    for _ in range(plan.distractors):
        _distract(context, rng, canvas, size)
    if plan.distractors:
        room.look_again(canvas.image)
    if plan.kind == "closeup":
        _close_up(context, rng, canvas, room, plan)
    misses = 0
    for _ in range(plan.blocks):
        misses = 0 if _add_block(context, rng, canvas, room, plan) else misses + 1
        if misses == _MISSES:
            break
    if rng.random() < 0.3 * difficulty:
        _occlude(context, rng, canvas)
    harshness = float(rng.random() * (0.25 + 0.75 * difficulty))
    shot = Shot(harshness, max_blur=float(0.5 + 1.7 * difficulty * size[1] / 640))
    exposure = context.camera.expose(rng, canvas.image, shot)
    return Scene(exposure.image, canvas.labels(exposure.image, exposure.softness))


def _plan(rng: Generator, size: tuple[int, int], difficulty: float) -> Plan:
    chance = rng.random()
    side = min(size)
    lowest = (26 - 20 * difficulty) * max(side / 640, 0.6)
    highest = max(lowest * 1.5, side * rng.uniform(0.06, 0.2))
    distractors = int(rng.poisson(2.5 * difficulty))
    if chance < 0.1 * difficulty:
        return Plan("empty", 0, lowest, highest, distractors + int(rng.integers(0, 4)), difficulty)
    if chance < 0.28:
        return Plan("closeup", int(rng.integers(0, 4)), lowest, highest, distractors // 2, difficulty)
    if chance < 0.42 + 0.2 * (1 - difficulty):
        return Plan("dense", int(rng.integers(12, 30)), lowest, highest, distractors // 2, difficulty)
    return Plan("street", int(rng.integers(3, 15)), lowest, highest, distractors, difficulty)


def _ground(context: RenderContext, rng: Generator, size: tuple[int, int], plan: Plan) -> Image:
    """Return the place: a photograph, at times with other photographs set in it like posters and panes."""
    backdrops = context.backdrops
    if rng.random() < 0.5 * (1 - plan.difficulty):
        image = backdrops.calm_crop(rng, size, 1.5, 4)
    else:
        image = backdrops.crop(rng, size, float(rng.uniform(1, 2.2)))
    image = np.ascontiguousarray(image)
    if rng.random() < 0.35 * plan.difficulty:
        for _ in range(int(rng.integers(1, 4))):
            height, width = (int(v * rng.uniform(0.15, 0.6)) for v in size)
            y, x = (int(rng.integers(0, v)) for v in size)
            part = image[y : y + height, x : x + width]
            part[:] = backdrops.crop(rng, (part.shape[0], part.shape[1]))
    if rng.random() < 0.1 * plan.difficulty:  # night
        return (image * np.float32(rng.uniform(0.25, 0.55))).astype(np.uint8)
    if rng.random() < 0.3 * (1 - plan.difficulty):
        flat = context.backdrops.sign_colour(rng)
        return (image * np.float32(0.2) + flat * np.float32(0.8)).astype(np.uint8)
    return image


class _Room:
    """Where there is space, and how busy it is."""

    def __init__(self, image: Image) -> None:
        self.shape = (image.shape[0] // _CELL + 1, image.shape[1] // _CELL + 1)
        self._taken = np.zeros(self.shape, np.uint8)
        self.look_again(image)

    def look_again(self, image: Image) -> None:
        grey = cv2.resize(image[..., 1], self.shape[::-1], interpolation=cv2.INTER_AREA)
        edges = np.abs(cv2.Laplacian(grey, cv2.CV_32F))
        self._busy = cv2.integral(np.asarray(edges))

    def take(self, corners: NDArray[np.float32]) -> None:
        cv2.fillConvexPoly(self._taken, np.round(cv2.convexHull(corners) / _CELL).astype(np.int32), 1)

    def is_free(self, low: NDArray[np.floating], high: NDArray[np.floating]) -> bool:
        y, x, bottom, right = self._cells(low, high)
        return not self._taken[y:bottom, x:right].any()

    def busyness(self, low: NDArray[np.floating], high: NDArray[np.floating]) -> float:
        y, x, bottom, right = self._cells(low, high)
        total = self._busy[bottom, right] - self._busy[y, right] - self._busy[bottom, x] + self._busy[y, x]
        return float(total) / max((bottom - y) * (right - x), 1)

    def _cells(self, low: NDArray[np.floating], high: NDArray[np.floating]) -> tuple[int, int, int, int]:
        rows, columns = self.shape
        x, y = (max(0, int(v) // _CELL) for v in low)
        right, bottom = (int(v) // _CELL + 1 for v in high)
        y, x = min(y, rows - 1), min(x, columns - 1)
        return y, x, max(min(bottom, rows), y + 1), max(min(right, columns), x + 1)


def _angle(rng: Generator, difficulty: float) -> float:
    """Return degrees: most words are level, some lean, few stand on end or on their head."""
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


def _orientation(rng: Generator, extent: tuple[int, int], difficulty: float) -> Matrix:
    """Return how a plane of (rows, columns) ``extent`` is turned and seen, about its middle."""
    rows, columns = extent
    tilt, shear = np.eye(3), np.eye(3)
    if rng.random() < 0.2 + 0.5 * difficulty:
        tilt[2, 0] = bounded_normal(rng, 0.2, 0.6) / columns
        tilt[2, 1] = bounded_normal(rng, 0.1, 0.4) / rows
        shear[1, 0] = bounded_normal(rng, 0.08, 0.3)
        shear[0, 1] = bounded_normal(rng, 0.06, 0.3)
    squeeze = scale_by(float(np.exp(rng.normal(-0.03, 0.15))), 1)
    return (
        turn_by(np.deg2rad(_angle(rng, difficulty)))
        @ shear
        @ tilt
        @ squeeze
        @ shift_by(-columns / 2, -rows / 2)
    )


def _add_block(context: RenderContext, rng: Generator, canvas: Canvas, room: _Room, plan: Plan) -> bool:
    """Set one block of text where there is room, smaller if need be; return whether there was."""
    height, width = canvas.image.shape[:2]
    wanted = float(np.exp(rng.uniform(np.log(plan.lowest), np.log(plan.highest))))
    if plan.difficulty > 0.5 and rng.random() < 0.08:
        wanted *= rng.uniform(1.5, 3)
    weak = 0.25 * plan.difficulty
    wish = Wish(wanted, width / wanted * 1.2, plan.difficulty, weak)
    chance = rng.random()
    bare = chance < 0.48
    make = bare_block if bare else board_block if chance < 0.93 else badge_block
    block = make(context, rng, wish)
    orientation = _orientation(rng, block.extent, plan.difficulty)
    scale = wanted / block.text_height
    corners = apply(scale_by(scale, scale) @ orientation, block.outline)
    low, high = corners.min(0), corners.max(0)
    if (high - low)[0] > width * 1.1 or (high - low)[1] > height * 1.1:
        shrink = float(min(width / (high - low)[0], height / (high - low)[1]) * rng.uniform(0.7, 1))
        scale, corners, low, high = scale * shrink, corners * shrink, low * shrink, high * shrink
    cut = rng.random() < 0.12 * plan.difficulty
    spot = _spot(rng, room, (low, high), (height, width), bare, cut)
    if spot is None and wanted * 0.66 > plan.lowest:
        scale, corners, low, high = scale * 0.66, corners * 0.66, low * 0.66, high * 0.66
        spot = _spot(rng, room, (low, high), (height, width), bare, cut)
    if spot is None:
        return False
    matrix = shift_by(*spot) @ scale_by(scale, scale) @ orientation
    room.take((corners + spot).astype(np.float32))
    _lay(context, rng, canvas, block, matrix)
    return True


def _spot(
    rng: Generator,
    room: _Room,
    reach: tuple[NDArray[np.float32], NDArray[np.float32]],
    size: tuple[int, int],
    calm: bool,
    cut: bool,
) -> NDArray[np.float64] | None:
    """Return a free place for the origin of a block that reaches from low to high; the calmest if wished."""
    low, high = reach
    frame = np.array([size[1], size[0]], np.float64)
    best: tuple[float, NDArray[np.float64]] | None = None
    for _ in range(_TRIES):
        slack = frame - (high - low)
        corner = rng.random(2) * slack
        if cut or (slack < 0).any():
            corner = rng.random(2) * frame - (high - low) / 2
        spot = corner - low
        if not room.is_free(low + spot - 2, high + spot + 2):
            continue
        cost = room.busyness(low + spot, high + spot) if calm else 0.0
        if best is None or cost < best[0]:
            best = (cost, spot)
            if not calm:
                break
    return None if best is None else best[1]


def _lay(context: RenderContext, rng: Generator, canvas: Canvas, block: Block, matrix: Matrix) -> None:
    corners = apply(matrix, block.outline)
    height, width = canvas.image.shape[:2]
    x0, y0 = np.clip(corners.min(0), 0, (width - 1, height - 1)).astype(int)
    x1, y1 = np.clip(corners.max(0), 1, (width, height)).astype(int)
    ground = mean_colour(canvas.image[y0 : max(y1, y0 + 1) : 2, x0 : max(x1, x0 + 1) : 2])
    canvas.lay(block.layer(rng, context, ground), matrix)
    for text, polygon in zip(block.texts, block.polygons, strict=True):
        canvas.add_word(text, apply(matrix, polygon))


def _close_up(context: RenderContext, rng: Generator, canvas: Canvas, room: _Room, plan: Plan) -> None:
    """Fill most of the frame with one board, as photographs of signs, covers and packages are."""
    height, width = canvas.image.shape[:2]
    block = poster_block(context, rng, (height, width), plan.difficulty)
    orientation = _orientation(rng, block.extent, 0.5 * plan.difficulty)
    corners = apply(orientation, block.outline)
    low, high = corners.min(0), corners.max(0)
    scale = float(min(width / (high - low)[0], height / (high - low)[1]) * rng.uniform(0.7, 1.15))
    slack = np.array([width, height]) - (high - low) * scale
    matrix = (
        shift_by(*(slack * rng.uniform(0.2, 0.8, 2) - low * scale)) @ scale_by(scale, scale) @ orientation
    )
    room.take(apply(matrix, block.outline))
    _lay(context, rng, canvas, block, matrix)


def _distract(context: RenderContext, rng: Generator, canvas: Canvas, size: tuple[int, int]) -> None:
    rows, columns = (int(v * np.exp(rng.uniform(np.log(0.04), np.log(0.45)))) + 12 for v in size)
    layer = draw_distractor(rng, context.backdrops, (rows, columns))
    matrix = _orientation(rng, (rows, columns), 1.0)
    x, y = rng.random(2) * (size[1], size[0])
    canvas.lay(layer, shift_by(x, y) @ matrix, float(rng.uniform(0.5, 1)))


def _occlude(context: RenderContext, rng: Generator, canvas: Canvas) -> None:
    height, width = canvas.image.shape[:2]
    for _ in range(int(rng.integers(1, 4))):
        rows, columns = int(rng.uniform(0.1, 0.7) * height), int(rng.uniform(0.01, 0.12) * width) + 3
        layer = draw_occluder(rng, context.backdrops, (rows, columns))
        matrix = shift_by(*(rng.random(2) * (width, height))) @ turn_by(float(rng.normal(0, 0.5)))
        matrix = matrix @ shift_by(-columns / 2, -rows / 2)
        canvas.lay(layer, matrix)
        hiding = cv2.warpPerspective(layer.cover, matrix, (width, height))
        np.maximum(canvas.hidden, hiding, out=canvas.hidden)
