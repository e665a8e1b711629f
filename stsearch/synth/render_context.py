"""What every rendering draws from: corpus, fonts, backdrops and camera, and lettering made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

from stsearch.synth.backgrounds import Backdrops, Colour
from stsearch.synth.camera import Camera
from stsearch.synth.corpus import Corpus
from stsearch.synth.lettering import Lettering, Setting, bend_arc, bend_wave, embolden, load_face, set_lines

# Faces are set at few sizes, so that loaded fonts are met again; layers are scaled to what is wanted.
SIZES = (14, 20, 28, 40, 56, 80, 112, 160, 224, 300)


@dataclass(frozen=True)
class Bends:
    """Chances of curved baselines."""

    arc: float = 0.08
    wave: float = 0.03


@dataclass(frozen=True, eq=False)
class RenderContext:
    """Where renderings are made."""

    corpus: Corpus
    fonts: tuple[Path, ...]
    backdrops: Backdrops
    camera: Camera

    def font(self, rng: Generator) -> Path:
        """Return any font."""
        return self.fonts[int(rng.integers(len(self.fonts)))]

    def letter(
        self, rng: Generator, lines: Sequence[Sequence[str]], path: Path, size: float, align: float = 0.0
    ) -> Lettering:
        """Set ``lines`` in the font of ``path`` at ``size`` pixels or more, spaced and weighted at random."""
        face = load_face(path)
        drawable = [[w for w in map(face.drawable, line) if w] for line in lines]
        drawable = [line for line in drawable if line] or [["A"]]
        step = next((s for s in SIZES if s >= size), SIZES[-1])
        tracking = 0.0
        if rng.random() < 0.18:
            tracking = float(rng.uniform(-0.04, 0.1) if rng.random() < 0.6 else rng.uniform(0.1, 0.45))
        gap = float(rng.uniform(0.2, 0.4) + max(tracking, 0) * 1.2)
        leading = float(rng.choice((rng.uniform(0.95, 1.15), rng.uniform(1.1, 1.5))))
        margin = float(rng.uniform(0.02, 0.07))
        lettering = set_lines(drawable, path, Setting(step, tracking, gap, leading, align, margin))
        chance = rng.random()
        if chance < 0.08:
            return embolden(lettering, float(rng.uniform(0.01, 0.035)))
        if chance < 0.1 and step >= 40:
            return embolden(lettering, -0.01)
        return lettering

    def bend(self, rng: Generator, lettering: Lettering, bends: Bends) -> Lettering:
        """Curve the baseline of some letterings."""
        chance = rng.random()
        height, width = lettering.mask.shape
        if chance < bends.arc and width > 1.6 * height:
            # Most arches are shallow; badges and seals run half round and more.
            sweep = rng.uniform(0.4, 1.6) if rng.random() < 0.65 else rng.uniform(1.6, 3.8)
            return bend_arc(
                lettering, float(sweep * (1 if rng.random() < 0.7 else -1)), int(rng.integers(5, 8))
            )
        if chance < bends.arc + bends.wave and width > 1.6 * height:
            waves = float(rng.uniform(0.4, 1.2))
            return bend_wave(lettering, float(rng.uniform(0.08, 0.35)), float(rng.uniform(0, 6.28)), waves)
        return lettering

    def inks(self, rng: Generator, ground: Colour, weak: float = 0.2) -> Colour:
        """Return a colour for text on ``ground``; a share ``weak`` of them stands out badly."""
        chance = rng.random()
        if chance < weak:
            contrast = rng.uniform(34, 70)
        elif chance < weak + 0.4 * (1 - weak):
            contrast = rng.uniform(70, 140)
        else:
            contrast = rng.uniform(140, 280)
        return self.backdrops.contrasting(rng, ground, float(contrast))


def bounded_normal(rng: Generator, sigma: float, most: float) -> float:
    """Return a normal deviate about 0 within [-``most``, ``most``]."""
    return max(-most, min(most, float(rng.normal(0, sigma))))


def mean_colour(image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Colour:
    """Return the mean colour of (H, W, 3)."""
    return np.array(cv2.mean(np.ascontiguousarray(image))[:3], np.float32)
