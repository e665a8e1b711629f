"""Rendered training pictures: word crops and street-like scenes with labels, reproducible from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stsearch.errors import DataError
from stsearch.synth.backgrounds import Backgrounds, find_backgrounds
from stsearch.synth.camera import Camera
from stsearch.synth.contact_sheet import make_contact_sheet
from stsearch.synth.corpus import BUILTIN_WORDS, FREQUENCY_POWER, Corpus
from stsearch.synth.lettering import find_fonts
from stsearch.synth.render_context import RenderContext
from stsearch.synth.scenes import render_scene
from stsearch.synth.words import render_word
from stsearch.types import Scene

__all__ = ["Renderer", "SynthAssets", "load_assets", "make_contact_sheet"]

_WORD, _SCENE = 1, 2


@dataclass(frozen=True)
class SynthAssets:
    """The sources of renderings."""

    fonts: tuple[Path, ...]
    backgrounds: tuple[Path, ...]  # empty: procedural textures
    words: tuple[str, ...]
    weights: NDArray[np.float64]  # (N,) relative frequencies of the words, tempered


def load_assets(
    fonts: Path | None = None, backgrounds: Path | None = None, words: Path | None = None
) -> SynthAssets:
    """Find what to render with; None: the system's fonts, procedural textures and the built-in words.

    Args:
        fonts: folder of .ttf and .otf files, searched to any depth; a ``fonts.csv`` beside
            them may mark a face ``caps_only`` or of little ``legibility``.
        backgrounds: folder of photographs without text.
        words: lines of ``word<TAB>zipf frequency``.

    Raises:
        DataError: a folder or file is missing, holds nothing usable, or is malformed.
    """
    vocabulary, weights = _read_words(words) if words else (BUILTIN_WORDS, np.ones(len(BUILTIN_WORDS)))
    return SynthAssets(find_fonts(fonts), find_backgrounds(backgrounds), vocabulary, weights)


def _read_words(path: Path) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    if not path.is_file():
        raise DataError(f"word list {path} does not exist; name a file of word<TAB>zipf lines (--words)")
    words, zipf = [], []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        word, _, frequency = line.partition("\t")
        try:
            zipf.append(float(frequency))
        except ValueError as error:
            raise DataError(f"word list {path}, line {number}: {line!r} is not word<TAB>zipf") from error
        words.append(word)
    if not words:
        raise DataError(f"word list {path} is empty; write word<TAB>zipf lines into it")
    return tuple(words), 10.0 ** (FREQUENCY_POWER * np.array(zipf, np.float64))


class Renderer:
    """Renders pictures; each is a function of the seed, its index and its size alone."""

    def __init__(self, assets: SynthAssets, seed: int) -> None:
        """Prepare to render from ``assets``."""
        # Pictures are small and rendered by many processes at once: threads of OpenCV would be idle.
        cv2.setNumThreads(0)
        self._seed = seed
        self.corpus = Corpus(assets.words, assets.weights)
        self._context = RenderContext(
            corpus=self.corpus,
            fonts=assets.fonts,
            backgrounds=Backgrounds(assets.backgrounds, seed),
            camera=Camera(seed),
        )

    def word(self, index: int, size: tuple[int, int]) -> Scene:
        """Return picture ``index`` of (H, W) ``size`` showing one main word, the first of its labels."""
        return render_word(self._context, self._generator(_WORD, index, size), size)

    def scene(self, index: int, size: tuple[int, int], difficulty: float = 1.0) -> Scene:
        """Return scene ``index`` of (H, W) ``size``; ``difficulty`` [0, 1] adds clutter and shrinks text."""
        return render_scene(self._context, self._generator(_SCENE, index, size), size, difficulty)

    def _generator(self, kind: int, index: int, size: tuple[int, int]) -> Generator:
        return np.random.default_rng((self._seed, kind, index, *size))
