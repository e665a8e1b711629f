"""What a camera does to a scene: light, colour, blur, resolution, noise and JPEG."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stsearch.types import Image

_NOISE_SIDE = 1000  # pixels; larger pictures get tiled noise
_SHOT_NOISE = (0.4 + np.arange(256, dtype=np.float32) / 180).reshape(1, 256)


@dataclass(frozen=True)
class CaptureConditions:
    """How much a photograph is degraded."""

    severity: float  # in [0, 1]
    max_blur: float  # largest sigma of a blur in pixels, so that the text stays legible


@dataclass(frozen=True, eq=False)
class Exposure:
    """A degraded photograph."""

    image: Image
    blur_sigma: float  # standard deviation of all blurring, in pixels


class Camera:
    """Degrades scenes as a camera does; noise is cut from one field of ``seed``, to save half the time."""

    def __init__(self, seed: int) -> None:
        """Prepare the noise field."""
        rng = np.random.default_rng((seed, 0xCA3E7A))
        self._noise = rng.normal(0, 1, (_NOISE_SIDE, _NOISE_SIDE)).astype(np.float32)

    def expose(self, rng: Generator, image: Image, conditions: CaptureConditions) -> Exposure:
        """Return ``image`` with the light, blur, noise, tone and JPEG artefacts of a photograph."""
        severity = conditions.severity
        if rng.random() < 0.25 + 0.3 * severity:
            image = _apply_lighting(rng, image, severity)
        blur_sigma = 0.0
        if rng.random() < 0.25 + 0.4 * severity:
            image, sigma = _blur(rng, image, conditions.max_blur)
            blur_sigma = sigma
        if rng.random() < 0.1 + 0.25 * severity:
            image, sigma = _resample(rng, image, conditions.max_blur)
            blur_sigma = float(np.hypot(blur_sigma, sigma))
        if rng.random() < 0.2 + 0.5 * severity:
            image = self._add_noise(rng, image, severity)
        image = _change_tone(rng, image, severity)
        if rng.random() < 0.15:
            image = _sharpen(image, rng.uniform(0.3, 1.2))
        if rng.random() < 0.6:
            image = _compress(image, int(rng.integers(25 if rng.random() < 0.3 * severity else 55, 96)))
        return Exposure(image, blur_sigma)

    def _add_noise(self, rng: Generator, image: Image, severity: float) -> Image:
        height, width = image.shape[:2]
        sigma = min(float(rng.gamma(1.4, 2.4) * (0.4 + severity)), 18.0)
        coarse = rng.random() < 0.4
        grey = self._cut_noise(rng, height, width, sigma, coarse)
        grain = cv2.merge([grey, grey, grey])
        if rng.random() < 0.4:
            grain = cv2.merge([grey, *(self._cut_noise(rng, height, width, sigma, coarse) for _ in range(2))])
        if rng.random() < 0.4:
            # Shot noise grows with light; sensors clip the darkest part of it.
            grain = cv2.multiply(grain, cv2.LUT(image, _SHOT_NOISE))
        return np.asarray(cv2.add(image, grain, dtype=cv2.CV_8U), np.uint8)

    def _cut_noise(
        self, rng: Generator, height: int, width: int, sigma: float, coarse: bool
    ) -> NDArray[np.float32]:
        """Return (H, W) normal noise; ``coarse`` noise is correlated over more than a pixel."""
        noise = self._noise
        if max(height, width) > 0.8 * _NOISE_SIDE:
            noise = np.tile(noise, (height // _NOISE_SIDE + 2, width // _NOISE_SIDE + 2))
        top, left = (
            int(rng.integers(noise.shape[0] - height + 1)),
            int(rng.integers(noise.shape[1] - width + 1)),
        )
        field = noise[top : top + height, left : left + width] * np.float32(sigma)
        return np.asarray(
            cv2.GaussianBlur(field, (3, 3), 0.7) * np.float32(1.6) if coarse else field, np.float32
        )


def _to_bytes(values: NDArray[np.floating]) -> Image:
    return np.asarray(cv2.convertScaleAbs(np.maximum(values, 0)), np.uint8)


def _apply_lighting(rng: Generator, image: Image, severity: float) -> Image:
    """Let brightness fall off along a direction or from the centre (vignette), or raise it in a spot."""
    height, width = image.shape[:2]
    xs = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    ys = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    kind = rng.random()
    depth = rng.uniform(0.1, 0.35 + 0.35 * severity)
    if kind < 0.5:
        angle = rng.uniform(0, 2 * np.pi)
        gain = 1 + np.float32(depth) * (np.float32(np.cos(angle)) * xs + np.float32(np.sin(angle)) * ys)
    elif kind < 0.75:
        gain = 1 - np.float32(depth / 2) * (xs * xs + ys * ys)
    else:
        x, y = rng.uniform(-1, 1, 2)
        reach = rng.uniform(0.3, 1.0)
        spot = np.exp(-(((xs - np.float32(x)) ** 2 + (ys - np.float32(y)) ** 2) / np.float32(2 * reach**2)))
        if rng.random() < 0.6:
            gain = 1 + np.float32(depth * 1.5) * spot
        else:
            return _to_bytes(image + (255 - image.astype(np.float32)) * (np.float32(depth) * spot)[..., None])
    return np.asarray(cv2.multiply(image, cv2.merge([gain, gain, gain]), dtype=cv2.CV_8U), np.uint8)


def _blur(rng: Generator, image: Image, max_blur: float) -> tuple[Image, float]:
    sigma = float(rng.uniform(0.2, 1) ** 1.7 * max_blur)
    kind = rng.random()
    if sigma < 0.25:
        return image, 0.0
    if kind < 0.55:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8), sigma
    reach = max(1, round(sigma * 1.7))
    side = 2 * reach + 1
    kernel = np.zeros((side, side), np.float32)
    if kind < 0.8:  # motion
        angle = rng.uniform(0, np.pi)
        dx, dy = np.cos(angle) * sigma * 1.7, np.sin(angle) * sigma * 1.7
        start = (round((reach - dx) * 16), round((reach - dy) * 16))
        end = (round((reach + dx) * 16), round((reach + dy) * 16))
        cv2.line(kernel, start, end, 1.0, 1, cv2.LINE_AA if side > 3 else cv2.LINE_8, 4)
    else:  # defocus
        ys, xs = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        kernel[:] = np.clip(sigma * 1.8 + 0.5 - np.hypot(xs, ys), 0, 1)
    total = float(kernel.sum())
    if total <= 0:
        return image, 0.0
    return np.asarray(
        cv2.filter2D(image, -1, kernel / total, borderType=cv2.BORDER_REFLECT_101), np.uint8
    ), sigma


def _resample(rng: Generator, image: Image, max_blur: float) -> tuple[Image, float]:
    """Scale down and up again; return the result, and the sigma of a Gaussian that blurs as much."""
    scale = 1 + float(rng.uniform(0.1, 1)) ** 1.5 * max_blur * 1.5
    height, width = image.shape[:2]
    small = (max(4, round(width / scale)), max(4, round(height / scale)))
    down = cv2.INTER_AREA if rng.random() < 0.7 else cv2.INTER_LINEAR
    up = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)[int(rng.integers(2))]
    reduced = cv2.resize(image, small, interpolation=down)
    return np.asarray(cv2.resize(reduced, (width, height), interpolation=up), np.uint8), 0.5 * scale


def _change_tone(rng: Generator, image: Image, severity: float) -> Image:
    """Change exposure, contrast, gamma and white balance by one table a channel."""
    levels = np.arange(256, dtype=np.float32)[:, None]
    strength = 0.5 + 0.5 * severity
    contrast = np.exp(rng.normal(-0.08, 0.22) * strength)
    bias = rng.normal(0, 20) * strength
    cast = 1 + rng.normal(0, 0.05, 3) * strength
    if rng.random() < 0.12 * severity:  # haze, or a photograph taken at night
        contrast *= rng.uniform(0.35, 0.7)
        bias += rng.uniform(-55, 45)
    table = np.clip(
        ((levels - 128) * np.float32(contrast) + np.float32(128 + bias)) * cast.astype(np.float32), 0, 255
    )
    gamma = np.exp(rng.normal(0, 0.25) * strength)
    table = np.float32(255) * (table / 255) ** np.float32(gamma)
    return np.asarray(cv2.LUT(image, np.ascontiguousarray(_to_bytes(table)[None])), np.uint8)


def _sharpen(image: Image, amount: float) -> Image:
    soft = cv2.GaussianBlur(image, (3, 3), 0.9)
    return np.asarray(cv2.addWeighted(image, 1 + amount, soft, -amount, 0), np.uint8)


def _compress(image: Image, quality: int) -> Image:
    # The codec expects BGR: it subsamples chroma, so the order of the channels matters.
    coded = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR_RGB), np.uint8)
