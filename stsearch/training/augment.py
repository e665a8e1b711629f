"""Training views of real photographs: cut, turned, scaled to a canvas, and photometrically varied."""

from __future__ import annotations

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray

from stsearch.config import StageConfig
from stsearch.geometry.polygons import box, polygon_edges, rotation_matrix, word_size
from stsearch.types import Image, Polygon, Scene, WordLabel

MIN_VISIBLE = 0.85
"""Share of the area of a word that must lie inside the canvas for it to stay legible."""

_DETECTOR_OFFSET = (0.06, 0.04)
"""Mean distance of detected ends and edges beyond the labelled ones, in word heights (on validation)."""
_TILT = 0.06  # radians, standard deviation
_MAX_CUT = 0.12  # of the word's width or height, on each side
_SCENE_SCALES = (0.28, 1.5)
"""Range of scales, relative to that of inference, whose smallest pyramid scale is 0.3."""
_COARSE_SCALES = (0.5, 1.5)
"""Range of scales, relative to that of the coarse pass."""
_MAX_STRETCH = 0.25  # of the logarithm of the aspect ratio


def cut_scene(
    scene: Scene,
    size: tuple[int, int],
    scale: float,
    centre: NDArray[np.float32],
    angle: float,
    stretch: float = 1.0,
    border: int = cv2.BORDER_REFLECT_101,
) -> Scene:
    """Cut a (H, W) ``size`` canvas out of ``scene`` around ``centre``, scaled, turned by ``angle`` degrees.

    Before the rotation its aspect ratio is multiplied by ``stretch``, at the same area. Words that the border
    cuts become don't care, words outside are dropped; beyond its border the photograph is reflected, or what
    ``border`` says (cv2's numbers).
    """
    height, width = size
    linear = cv2.getRotationMatrix2D((0, 0), angle, scale)[:, :2] * [stretch**0.5, stretch**-0.5]
    matrix = np.column_stack([linear, np.array([width / 2, height / 2]) - linear @ centre])
    source, warp = scene.image, matrix.copy()
    if scale < 0.5:  # an affine warp does not average: shrink first, so that fine text does not alias
        shrunken = cv2.resize(source, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        warp[:, :2] /= np.array([shrunken.shape[1] / source.shape[1], shrunken.shape[0] / source.shape[0]])
        source = np.asarray(shrunken, np.uint8)
    # cv2 counts from pixel centres, polygons from corners: shift by half a pixel on both sides of the warp.
    warp[:, 2] += warp[:, :2] @ np.array([0.5, 0.5]) - 0.5
    image = cv2.warpAffine(source, warp, (width, height), flags=cv2.INTER_LINEAR, borderMode=border)
    words = (_move(word, matrix, size) for word in scene.words)
    kept = tuple(word for word in words if word is not None)
    return Scene(np.ascontiguousarray(image, np.uint8), kept, scene.partial)


def _move(word: WordLabel, matrix: NDArray[np.float64], size: tuple[int, int]) -> WordLabel | None:
    """Transform a word to the canvas; return None when it lies outside."""
    height, width = size
    polygon = (word.polygon @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    if (high <= 0).any() or low[0] >= width or low[1] >= height:
        return None
    whole = (low >= 0).all() and high[0] <= width and high[1] <= height
    if not whole:
        shape = shapely.make_valid(shapely.Polygon(polygon))
        visible = shape.intersection(shapely.box(0, 0, width, height)).area
        whole = visible >= MIN_VISIBLE * shape.area
    return WordLabel(polygon, word.transcript, word.legible and bool(whole))


def cut_word_view(scene: Scene, word: WordLabel, size: tuple[int, int], random: np.random.Generator) -> Scene:
    """Cut a canvas around ``word``, slightly rotated; the word fills a third of its height or more."""
    height, width = size
    word_height, _ = word_size(word.polygon)
    extent = word.polygon.max(axis=0) - word.polygon.min(axis=0)
    scale = height * random.uniform(0.35, 0.95) / max(word_height, 2.0)
    scale = min(scale, 2.0, 1.02 * width / max(extent[0], 1.0), 1.1 * height / max(extent[1], 1.0))
    centre = word.polygon.mean(axis=0)
    slack = np.maximum(np.array([width, height]) - extent * scale, 0) / scale
    centre = (centre + slack * random.uniform(-0.45, 0.45, 2)).astype(np.float32)
    angle = random.normal(0, 4) if random.random() < 0.7 else random.normal(0, 12)
    return cut_scene(scene, size, scale, centre, angle)


def cut_scene_view(
    scene: Scene, size: tuple[int, int], longer_side: int, random: np.random.Generator
) -> Scene:
    """Cut a canvas near a random word, at a scale of inference (``longer_side`` pixels).

    Its aspect ratio varies a little: some sets were resized without keeping it.
    """
    return _cut_near_word(scene, size, (longer_side, _SCENE_SCALES), random)


def cut_coarse_view(
    scene: Scene, size: tuple[int, int], longer_side: int, random: np.random.Generator
) -> Scene:
    """Cut a canvas as the coarse pass (``longer_side`` pixels) sees a photograph, or one somewhat larger.

    Beyond the photograph it is black: mirrored words would look like words without a label.
    """
    return _cut_near_word(scene, size, (longer_side, _COARSE_SCALES), random, cv2.BORDER_CONSTANT)


def _cut_near_word(
    scene: Scene,
    size: tuple[int, int],
    scaling: tuple[int, tuple[float, float]],
    random: np.random.Generator,
    border: int = cv2.BORDER_REFLECT_101,
) -> Scene:
    """Cut a canvas; ``scaling`` is the longer side of a photograph and the range of its multiples."""
    longer_side, scales = scaling
    photo_height, photo_width = scene.image.shape[:2]
    scale = longer_side / max(photo_height, photo_width) * float(np.exp(random.uniform(*np.log(scales))))
    legible = [word for word in scene.words if word.legible]
    if legible and random.random() < 0.85:
        centre = legible[random.integers(len(legible))].polygon.mean(axis=0)
        centre = centre + random.uniform(-0.35, 0.35, 2) * np.array(size[::-1]) / scale
    else:
        centre = random.uniform(0, 1, 2) * np.array([photo_width, photo_height])
    half = np.array(size[::-1]) / scale / 2  # stay inside the photograph where it is large enough
    photo = np.array([photo_width, photo_height])
    centre = np.where(2 * half < photo, np.clip(centre, half, photo - half), photo / 2).astype(np.float32)
    angle = random.normal(0, 5) if random.random() < 0.8 else random.uniform(-45, 45)
    stretch = float(np.exp(random.uniform(-_MAX_STRETCH, _MAX_STRETCH)))
    return cut_scene(scene, size, scale, centre, angle, stretch, border)


def place_crop(crop: Image, transcript: str, size: tuple[int, int], random: np.random.Generator) -> Scene:
    """Place a tight word crop on a canvas, its border replicated; only the word itself is labelled."""
    height, width = size
    inner_height = round(height * random.uniform(0.5, 0.95))
    inner_width = round(inner_height * crop.shape[1] / crop.shape[0] * random.uniform(0.8, 1.25))
    inner_width = int(np.clip(inner_width, 6, width))
    method = cv2.INTER_AREA if inner_height < crop.shape[0] else cv2.INTER_LINEAR
    resized = cv2.resize(crop, (inner_width, inner_height), interpolation=method)
    top = int(random.integers(height - inner_height + 1))
    left = int(random.integers(width - inner_width + 1))
    laid = cv2.copyMakeBorder(
        resized, top, height - inner_height - top, left, width - inner_width - left, cv2.BORDER_REPLICATE
    )
    polygon = box(left, top, left + inner_width, top + inner_height)
    return Scene(np.asarray(laid, np.uint8), (WordLabel(polygon, transcript, True),), partial=True)


def vary_colours(image: Image, random: np.random.Generator) -> Image:
    """Vary brightness, contrast, colour balance, sharpness and noise of a (H, W, 3) image."""
    gain = random.uniform(0.7, 1.3) * random.uniform(0.92, 1.08, 3)
    varied = (image - 128.0) * gain + 128 + random.uniform(-30, 30)
    if random.random() < 0.1:
        varied = 255 - varied
    if random.random() < 0.25:
        varied = np.asarray(cv2.GaussianBlur(varied, (0, 0), random.uniform(0.4, 1.3)), np.float64)
    if random.random() < 0.25:
        varied = varied + random.normal(0, random.uniform(2, 12), varied.shape)
    return np.asarray(np.clip(varied, 0, 255), np.uint8)


def degrade(crop: Image, random: np.random.Generator) -> Image:
    """Degrade a (H, W, 3) word crop by none to two of six operations: compression, blur, noise and the like.

    As RandAugment (Cubuk et al. 2020) does, operations and their strengths are random.
    """
    for operation in random.permutation(len(_DEGRADATIONS))[: random.choice(3, p=(0.55, 0.3, 0.15))]:
        crop = _DEGRADATIONS[operation](crop, random)
    return crop


def _compress(crop: Image, random: np.random.Generator) -> Image:
    _, encoded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(12, 70))])
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)


def _downscale(crop: Image, random: np.random.Generator) -> Image:
    height, width = crop.shape[:2]
    share = random.uniform(0.25, 0.7)
    small = cv2.resize(
        crop, (max(4, round(width * share)), max(4, round(height * share))), interpolation=cv2.INTER_AREA
    )
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _blur_by_motion(crop: Image, random: np.random.Generator) -> Image:
    length = crop.shape[0] * random.uniform(0.04, 0.16)
    angle = random.uniform(0, np.pi)
    reach = int(np.ceil(length / 2))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    offset = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    ends = (np.stack([reach - offset, reach + offset]) * 16).round().astype(int).tolist()
    cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA, shift=4)
    return np.asarray(cv2.filter2D(crop, -1, kernel / max(float(kernel.sum()), 1e-6)), np.uint8)


def _reduce_contrast(crop: Image, random: np.random.Generator) -> Image:
    mean = crop.mean(axis=(0, 1))
    return np.asarray(np.clip(mean + (crop - mean) * random.uniform(0.35, 0.8), 0, 255), np.uint8)


def _remove_colour(crop: Image, random: np.random.Generator) -> Image:
    grey = crop @ random.dirichlet((2.0, 2.0, 2.0))
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)


def _shade(crop: Image, random: np.random.Generator) -> Image:
    height, width = crop.shape[:2]
    slope = random.normal(0, 0.6, 2)
    plane = np.linspace(-0.5, 0.5, height)[:, None] * slope[0] + np.linspace(-0.5, 0.5, width) * slope[1]
    return np.asarray(np.clip(crop * (1 + plane[..., None]), 0, 255), np.uint8)


_DEGRADATIONS = (_compress, _downscale, _blur_by_motion, _reduce_contrast, _remove_colour, _shade)


def perturb_outline(polygon: Polygon, stage: StageConfig, random: np.random.Generator) -> Polygon:
    """Return ``polygon`` with random errors of its ends, edges, tilt and corners, as detected outlines have.

    Without it three of four words were read right in labelled outlines, and little more than half in detected
    ones.
    """
    height, width = word_size(polygon)
    upper, lower = polygon_edges(polygon, 2)
    along = upper[1] - upper[0] + lower[1] - lower[0]
    along /= max(float(np.hypot(*along)), 1e-6)
    axes = np.array([along, [-along[1], along[0]]])  # rows: reading direction, and down
    centre = polygon.mean(axis=0)
    # Outwards: left and right end, upper and lower edge. What is cut off is limited by the size of the word.
    ends, edges = random.normal(_DETECTOR_OFFSET, stage.box_noise, (2, 2)).T * height
    stretched = (polygon - centre) @ axes.T
    for axis, extent, moves in ((0, width, ends), (1, height, edges)):
        first, last = np.maximum(moves, -_MAX_CUT * extent)
        stretched[:, axis] = stretched[:, axis] * (1 + (first + last) / extent) + (last - first) / 2
    turn = rotation_matrix(random.normal(0, _TILT))
    corners = random.normal(0, stage.jitter * height, polygon.shape)
    return np.asarray(stretched @ turn @ axes + centre + corners, np.float32)
