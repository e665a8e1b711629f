"""The sources of every rendering: corpus, fonts, backgrounds and camera; and text typeset from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

from stsearch.synth.backgrounds import Backgrounds, Colour
from stsearch.synth.camera import Camera
from stsearch.synth.corpus import Corpus
from stsearch.synth.lettering import (
    Lettering,
    Typesetting,
    bend_arc,
    bend_wave,
    embolden,
    load_face,
    typeset_lines,
)

# Text is typeset at few sizes, so that loaded fonts are reused; layers are scaled to the size wanted.
SIZES = (14, 20, 28, 40, 56, 80, 112, 160, 224, 300)


@dataclass(frozen=True)
class Bends:
    """Probabilities of curved baselines."""

    arc: float = 0.08
    wave: float = 0.03


@dataclass(frozen=True, eq=False)
class RenderContext:
    """What renderings draw from."""

    corpus: Corpus
    fonts: tuple[Path, ...]
    backgrounds: Backgrounds
    camera: Camera

    def font(self, rng: Generator) -> Path:
        """Return a random font."""
        return self.fonts[int(rng.integers(len(self.fonts)))]

    def typeset(
        self, rng: Generator, lines: Sequence[Sequence[str]], path: Path, size: float, align: float = 0.0
    ) -> Lettering:
        """Typeset ``lines`` in the font at ``path``, ``size`` pixels or more, with random spacing."""
        face = load_face(path)
        drawable = [[w for w in map(face.drawable, line) if w] for line in lines]
        drawable = [line for line in drawable if line] or [["A"]]
        typeset_size = next((s for s in SIZES if s >= size), SIZES[-1])
        tracking = 0.0
        if rng.random() < 0.18:
            tracking = float(rng.uniform(-0.04, 0.1) if rng.random() < 0.6 else rng.uniform(0.1, 0.45))
        gap = float(rng.uniform(0.2, 0.4) + max(tracking, 0) * 1.2)
        leading = float(rng.choice((rng.uniform(0.95, 1.15), rng.uniform(1.1, 1.5))))
        margin = float(rng.uniform(0.02, 0.07))
        lettering = typeset_lines(
            drawable, path, Typesetting(typeset_size, tracking, gap, leading, align, margin)
        )
        draw = rng.random()
        if draw < 0.08:
            return embolden(lettering, float(rng.uniform(0.01, 0.035)))
        if draw < 0.1 and typeset_size >= 40:
            return embolden(lettering, -0.01)
        return lettering

    def bend(self, rng: Generator, lettering: Lettering, bends: Bends) -> Lettering:
        """Return ``lettering``, at times with a curved baseline."""
        draw = rng.random()
        height, width = lettering.mask.shape
        if draw < bends.arc and width > 1.6 * height:
            # Most arches are shallow; badges and seals run half round and more.
            sweep = rng.uniform(0.4, 1.6) if rng.random() < 0.65 else rng.uniform(1.6, 3.8)
            return bend_arc(
                lettering, float(sweep * (1 if rng.random() < 0.7 else -1)), int(rng.integers(5, 8))
            )
        if draw < bends.arc + bends.wave and width > 1.6 * height:
            waves = float(rng.uniform(0.4, 1.2))
            return bend_wave(lettering, float(rng.uniform(0.08, 0.35)), float(rng.uniform(0, 6.28)), waves)
        return lettering

    def choose_text_colour(self, rng: Generator, background: Colour, low_contrast: float = 0.2) -> Colour:
        """Return a colour for text on ``background``; a share ``low_contrast`` of them is close to it."""
        draw = rng.random()
        if draw < low_contrast:
            contrast = rng.uniform(34, 70)
        elif draw < low_contrast + 0.4 * (1 - low_contrast):
            contrast = rng.uniform(70, 140)
        else:
            contrast = rng.uniform(140, 280)
        return self.backgrounds.choose_contrasting_colour(rng, background, float(contrast))


def sample_clipped_normal(rng: Generator, sigma: float, limit: float) -> float:
    """Return a normal deviate with mean 0, clipped to [-``limit``, ``limit``]."""
    return max(-limit, min(limit, float(rng.normal(0, sigma))))


def mean_colour(image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Colour:
    """Return the mean colour of (H, W, 3)."""
    return np.array(cv2.mean(np.ascontiguousarray(image))[:3], np.float32)
