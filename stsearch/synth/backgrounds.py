"""Backgrounds of text: photographs or procedural textures, and colours sampled from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stsearch.errors import DataError
from stsearch.types import Image

Colour = NDArray[np.float32]  # (3,) RGB in [0, 255]

_LONGER_SIDE = 560  # photographs are kept in memory at this size, half a megabyte each
_PROCEDURAL = 24  # textures made when no photograph is given
_SUFFIXES = {".jpg", ".jpeg", ".png"}

# Of paints and plastics that signs are made of: colours sampled from photographs are mostly grey.
SIGN_COLOURS = np.array(
    [
        (250, 250, 248), (236, 232, 220), (245, 245, 240), (215, 215, 210), (20, 20, 22),
        (40, 42, 46), (70, 72, 74), (190, 24, 30), (214, 40, 40), (140, 16, 24),
        (18, 60, 140), (0, 86, 170), (20, 30, 80), (60, 140, 200), (0, 106, 60),
        (20, 70, 46), (90, 160, 60), (250, 204, 20), (244, 180, 0), (240, 120, 20),
        (110, 66, 36), (170, 130, 80), (120, 30, 110), (230, 90, 140), (130, 130, 128),
        (160, 165, 170),
    ],
    np.float32,
)  # fmt: skip


def find_backgrounds(folder: Path | None) -> tuple[Path, ...]:
    """Return the photographs under ``folder``, sorted; none for None.

    Raises:
        DataError: ``folder`` is not a folder, or holds no photograph.
    """
    if folder is None:
        return ()
    if not folder.is_dir():
        raise DataError(
            f"background folder {folder} does not exist; name a folder of photographs (--backgrounds)"
        )
    photographs = tuple(p for p in sorted(folder.rglob("*")) if p.suffix.lower() in _SUFFIXES)
    if not photographs:
        raise DataError(
            f"background folder {folder} holds no .jpg or .png photograph; name another (--backgrounds)"
        )
    return photographs


class Backgrounds:
    """Photographs kept decoded in memory, or textures made from ``seed`` where there are none."""

    def __init__(self, paths: Sequence[Path], seed: int) -> None:
        """Keep ``paths``; each is decoded when first drawn."""
        self._paths = tuple(paths)
        self._decoded: dict[int, Image] = {}
        self._seed = seed

    def __len__(self) -> int:
        """Return how many different backgrounds there are."""
        return len(self._paths) or _PROCEDURAL

    def photograph(self, number: int) -> Image:
        """Return background ``number`` whole.

        Raises:
            DataError: the photograph cannot be decoded.
        """
        if number not in self._decoded:
            image = (
                self._decode(self._paths[number])
                if self._paths
                else _make_texture(np.random.default_rng((self._seed, number)))
            )
            self._decoded[number] = image
        return self._decoded[number]

    @staticmethod
    def _decode(path: Path) -> Image:
        image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise DataError(f"background {path} is no readable photograph; remove it from the folder")
        scale = _LONGER_SIDE / max(image.shape[:2])
        if scale < 1:
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)

    def crop(self, rng: Generator, size: tuple[int, int], zoom: float = 1.0) -> Image:
        """Return a random crop as (H, W, 3), enlarged at least ``zoom`` times."""
        image = self.photograph(int(rng.integers(len(self))))
        height, width = image.shape[:2]
        scale = max(size[0] / height, size[1] / width, zoom)
        rows, columns = max(1, round(size[0] / scale)), max(1, round(size[1] / scale))
        top = int(rng.integers(0, max(1, height - rows + 1)))
        left = int(rng.integers(0, max(1, width - columns + 1)))
        piece = image[top : top + rows, left : left + columns]
        if rng.random() < 0.5:
            piece = piece[:, ::-1]
        return np.asarray(cv2.resize(piece, (size[1], size[0]), interpolation=cv2.INTER_LINEAR), np.uint8)

    def smooth_crop(self, rng: Generator, size: tuple[int, int], zoom: float = 1.0, tries: int = 3) -> Image:
        """Return the least textured of ``tries`` random crops."""
        pieces = [self.crop(rng, size, zoom) for _ in range(tries)]
        return min(
            pieces, key=lambda piece: float(np.std(piece[:: 1 + size[0] // 40, :: 1 + size[1] // 80, 1]))
        )

    def sample_colour(self, rng: Generator) -> Colour:
        """Return the colour of a random pixel of a random background."""
        image = self.photograph(int(rng.integers(len(self))))
        y, x = int(rng.integers(image.shape[0])), int(rng.integers(image.shape[1]))
        return np.asarray(image[y, x], np.float32)

    def choose_sign_colour(self, rng: Generator) -> Colour:
        """Return the colour of a sign board: mostly one of ``SIGN_COLOURS``, else one of a photograph."""
        if rng.random() < 0.3:
            return self.sample_colour(rng)
        paint = SIGN_COLOURS[int(rng.integers(len(SIGN_COLOURS)))]
        return np.asarray(np.clip(paint * rng.uniform(0.75, 1.05) + rng.normal(0, 8, 3), 0, 255), np.float32)

    def choose_contrasting_colour(self, rng: Generator, background: Colour, contrast: float) -> Colour:
        """Return a colour whose lightness differs from that of ``background`` by about ``contrast``."""
        image = self.photograph(int(rng.integers(len(self))))
        ys, xs = rng.integers(0, image.shape[0], 6), rng.integers(0, image.shape[1], 6)
        greys = rng.uniform(0, 255, (4, 1)) + rng.normal(0, 6, (4, 3))
        paints = SIGN_COLOURS[rng.integers(0, len(SIGN_COLOURS), 8)]
        choices = np.concatenate([image[ys, xs], paints, greys, [(252, 252, 250), (12, 12, 14)]]).astype(
            np.float32
        )
        contrasts = np.abs(lightness(choices) - lightness(background)) + 0.25 * np.abs(
            choices - background
        ).max(1)
        best = choices[int(np.argmin(np.abs(contrasts - contrast) + rng.uniform(0, 30, len(choices))))]
        if contrast > 60 and abs(float(lightness(best) - lightness(background))) < 35:
            best = np.full(3, 250.0 if lightness(background) < 128 else 10.0, np.float32)
        return np.asarray(np.clip(best, 0, 255), np.float32)


def lightness(colour: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the luma of RGB colours (..., 3)."""
    return np.asarray(colour @ np.array([0.299, 0.587, 0.114], np.float32), np.float32)


def fractal_noise(
    rng: Generator, size: tuple[int, int], coarsest: int = 4, octaves: int = 4
) -> NDArray[np.float32]:
    """Return (H, W) smooth noise in about [-1, 1]: random grids, each finer and half as strong."""
    height, width = size
    total = np.zeros(size, np.float32)
    for octave in range(octaves):
        cells = coarsest * 2**octave
        shape = (max(2, min(height, cells)), max(2, min(width, round(cells * width / height))))
        grid = rng.uniform(-1, 1, shape).astype(np.float32)
        total += np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)) * np.float32(
            0.5**octave
        )
    return total


def _make_texture(rng: Generator) -> Image:
    """Return a procedural background: patches of three colours, noise and, at times, the joints of a wall."""
    size = (270, 360)
    colours = SIGN_COLOURS[rng.integers(0, len(SIGN_COLOURS), 3)]
    level = np.clip(fractal_noise(rng, size, int(rng.integers(2, 6)), 5) * 0.5 + 0.5, 0, 1)[..., None]
    image = colours[0] + (colours[1] - colours[0]) * level
    patch = np.clip(fractal_noise(rng, size, 2, 3) * 3, 0, 1)[..., None]
    image = image + (colours[2] - image) * patch * 0.7
    if rng.random() < 0.4:
        image *= _make_wall(rng, size)[..., None]
    image += rng.normal(0, rng.uniform(2, 10), size)[..., None]
    return np.asarray(np.clip(image, 0, 255), np.uint8)


def _make_wall(rng: Generator, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return (H, W) brightness of a wall of bricks or tiles."""
    rows, columns = int(rng.integers(8, 40)), int(rng.integers(16, 90))
    ys, xs = np.mgrid[0 : size[0], 0 : size[1]]
    shifted = xs + (ys // rows % 2) * (columns // 2) * int(rng.integers(2))
    joint = (ys % rows < 2) | (shifted % columns < 2)
    tone = rng.uniform(0.8, 1.1, 4096)[(ys // rows * 61 + shifted // columns * 7) % 4096]
    return np.where(joint, rng.uniform(0.5, 1.3), tone).astype(np.float32)
