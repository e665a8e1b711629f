"""How likely a word is, given the CTC posteriors of a crop, and not only its transcript.

A transcript is one guess; the class probabilities of the frames of a crop (CTC posteriors) hold all others.
They are kept in a byte a class and frame, folded to the characters of queries: (T, 37), class 0 the blank.

Source: Graves et al., Connectionist Temporal Classification, ICML 2006, section 3, with the best alignment
instead of the sum over all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stsearch.text.charset import ALPHANUMERIC, Charset, normalize
from stsearch.text.wildcards import fixed_part

CLASSES = len(ALPHANUMERIC) + 1

_ANY_CHARACTER = CLASSES
_ANYTHING = CLASSES + 1
_STEPS = 16  # of a byte, to a change of a probability by e
_LEAST = 1e-5  # less is taken for this: it ranks no worse, and compresses to half the bytes
_NEVER = 1 << 20  # a cost that no alignment reaches
_BLANK = bytes([0] + [255] * (CLASSES - 1))  # a frame in which nothing was seen
_SOFTNESS = 2.0  # chosen on validation; the share in the ranking is chosen with it


def pack_posteriors(logits: NDArray[np.float32], charset: Charset) -> list[bytes]:
    """Return the CTC posteriors of each crop as they are kept: (T, ``CLASSES``) uint8 costs, in row order.

    Args:
        logits: (N, T, V) of the ``charset``, class 0 the blank.
        charset: characters that fold to none of a query's count as blank.
    """
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    folded = (shifted / shifted.sum(axis=-1, keepdims=True)) @ _folding(charset)
    costs = -_STEPS * np.log(np.maximum(folded, _LEAST))
    return [rows.tobytes() for rows in np.clip(np.rint(costs), 0, 255).astype(np.uint8)]


def word_likelihoods(word: str, posteriors: Sequence[bytes]) -> NDArray[np.float32]:
    """Return (N,) float32 in [0, 1]: how likely each crop shows ``word``, long words no less than short ones.

    Args:
        word: folded; ``*`` stands for anything, ``?`` for one character. Without any that is known, what
            counts is that there are no letters or digits but these.
        posteriors: N times what ``pack_posteriors`` returned, of any length.
    """
    symbols = _symbols(word)
    return _likelihoods(_costs(posteriors)[:, symbols], symbols[:, np.newaxis], _known(word))


def pair_likelihoods(words: Sequence[str], posteriors: Sequence[bytes]) -> NDArray[np.float32]:
    """Return (N,) float32: how likely each of N crops shows its own word; see :func:`word_likelihoods`."""
    found = np.empty(len(words), np.float32)
    if not words:
        return found
    spelled, costs = [_symbols(word) for word in words], _costs(posteriors)
    for length in {len(symbols) for symbols in spelled}:
        at = [i for i, symbols in enumerate(spelled) if len(symbols) == length]
        symbols = np.stack([spelled[i] for i in at], axis=1)
        met = np.take_along_axis(costs[:, :, at], symbols[np.newaxis], axis=1)
        found[at] = _likelihoods(met, symbols, np.array([_known(words[i]) for i in at]))
    return found


def _known(word: str) -> int:
    return max(len(fixed_part(word)), 1)


def _costs(posteriors: Sequence[bytes]) -> NDArray[np.int32]:
    """Return (T, S, N) what each symbol costs in each frame of N crops."""
    longest = max(map(len, posteriors), default=0)
    padded = (each + _BLANK * ((longest - len(each)) // CLASSES) for each in posteriors)
    packed = np.stack([np.frombuffer(each, np.uint8) for each in padded], axis=-1)
    costs = packed.reshape(-1, CLASSES, len(posteriors)).astype(np.int32)
    any_character, anything = costs[:, 1:].min(axis=1, keepdims=True), np.zeros_like(costs[:, :1])
    return np.concatenate([costs, any_character, anything], axis=1)


def _likelihoods(
    met: NDArray[np.int32], symbols: NDArray[np.int64], known: int | NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return (N,) from the (T, 2 L + 1, N) costs ``met`` and the symbols, (2 L + 1, N or 1)."""
    return np.asarray(np.exp(-_least_costs(met, symbols) / (_STEPS * _SOFTNESS * known)), np.float32)


def _symbols(word: str) -> NDArray[np.int64]:
    """Return (2 L + 1,) what a path meets: the L characters, and a blank before and after each."""
    symbols = [0]
    for character in word:
        if character == "*":
            symbols[-1] = _ANYTHING
        else:
            symbols += [_ANY_CHARACTER if character == "?" else _class_of(character), 0]
    return np.array(symbols)


def _least_costs(met: NDArray[np.int32], symbols: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return (N,) what the best alignment costs (Viterbi); arguments as of :func:`_likelihoods`."""
    leaps = np.zeros(symbols.shape, bool)  # over a blank, to another character
    leaps[3::2] = (symbols[3::2] != symbols[1:-2:2]) | (symbols[3::2] == _ANY_CHARACTER)
    reached = np.full(met.shape[1:], _NEVER, np.int32)
    reached[:2] = met[0, :2]
    for frame in met[1:]:
        before = reached
        reached = before.copy()
        np.minimum(reached[1:], before[:-1], out=reached[1:])
        np.minimum(reached[2:], np.where(leaps[2:], before[:-2], _NEVER), out=reached[2:])
        reached += frame
    return np.asarray(reached[-2:].min(axis=0), np.int32)


def _class_of(character: str) -> int:
    return 1 + ALPHANUMERIC.index(character)


def _folding(charset: Charset) -> NDArray[np.float32]:
    """Return (V, ``CLASSES``): 1 where a class folds to one of the characters of queries."""
    matrix = np.zeros((len(charset), CLASSES), np.float32)
    matrix[0, 0] = 1
    for number, character in enumerate(charset.characters, start=1):
        folded = normalize(character)
        matrix[number, _class_of(folded[0]) if folded else 0] = 1
    return matrix
