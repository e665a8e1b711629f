"""The likelihood of a word under the CTC posteriors of a crop.

A transcript is one guess; the class probabilities of the frames of a crop (CTC posteriors) hold all others.
They are stored as a byte for each class and frame, folded to the characters of queries: (T, 37), class 0 the
blank.

Source: Graves et al., Connectionist Temporal Classification, ICML 2006, section 3, with the best alignment
instead of the sum over all.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stsearch.text.charset import ALPHANUMERIC, Charset, normalize
from stsearch.text.decoding import END, Reading, best_reading, softmax
from stsearch.text.wildcards import fixed_part

CLASSES = len(ALPHANUMERIC) + 1

_ANY_CHARACTER = CLASSES
_ANYTHING = CLASSES + 1
_STEPS_PER_NAT = 16  # a byte is a negative log probability in sixteenths
_MIN_PROBABILITY = 1e-5  # lower ones are raised to this: ranking is no worse, compressed size half
_INFINITE = 1 << 20  # higher than the cost of any alignment
_BLANK = bytes([0] + [255] * (CLASSES - 1))  # a frame of padding: certainly blank
_TEMPERATURE = 2.0  # chosen on validation, together with the weight of likelihoods in the ranking


def decode_best_path(logits: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the best path of CTC logits, and how confident it is.

    Args:
        logits: (N, T, V), class 0 the blank.

    Returns:
        Classes (N, T), 0 where no character starts, and confidences (N,): the product of the probabilities of
        the characters, each at its most confident frame, and 0 when nothing is read.
    """
    probabilities = softmax(logits)
    classes, confident = probabilities.argmax(axis=-1), probabilities.max(axis=-1)
    starts = classes != 0
    starts[:, 1:] &= classes[:, 1:] != classes[:, :-1]
    run = np.cumsum(starts, axis=1) * (classes != 0)  # 1-based number of the character a frame belongs to
    best = np.zeros((len(classes), classes.shape[1] + 1), np.float32)
    np.maximum.at(best, (np.arange(len(classes))[:, None], run), confident)
    used = np.arange(best.shape[1]) <= run.max(axis=1, keepdims=True)
    confidence = np.where(used, best, 1)[:, 1:].prod(axis=1) * starts.any(axis=1)
    return np.where(starts, classes, 0), confidence.astype(np.float32)


def read_best_path(logits: NDArray[np.float32], charset: Charset) -> tuple[Reading, NDArray[np.float32]]:
    """Return what the best path of one crop's CTC logits spells.

    Args:
        logits: (T, V), class 0 the blank.
        charset: of the classes.

    Returns:
        The reading, and (L + 1, V) class probabilities at its L characters, each at its most confident frame;
        after them it ends.
    """
    probabilities = softmax(logits)
    path = probabilities.argmax(axis=1)
    bounds = np.flatnonzero(np.diff(path, prepend=-1, append=-1))
    runs = [slice(first, last) for first, last in itertools.pairwise(bounds) if path[first] != 0]
    peaks = [run.start + int(probabilities[run, path[run.start]].argmax()) for run in runs]
    end = np.zeros((1, probabilities.shape[1]), np.float32)
    end[0, END] = 1
    table = np.concatenate([probabilities[peaks], end])
    return best_reading(table, charset), table


def pack_posteriors(logits: NDArray[np.float32], charset: Charset) -> list[bytes]:
    """Return the CTC posteriors of each crop in bytes: (T, ``CLASSES``) uint8 costs, in row order.

    Args:
        logits: (N, T, V) of the ``charset``, class 0 the blank.
        charset: characters that fold to none of a query's count as blank.
    """
    folded = softmax(logits) @ _folding_matrix(charset)
    costs = -_STEPS_PER_NAT * np.log(np.maximum(folded, _MIN_PROBABILITY))
    return [rows.tobytes() for rows in np.clip(np.rint(costs), 0, 255).astype(np.uint8)]


def word_likelihoods(word: str, posteriors: Sequence[bytes]) -> NDArray[np.float32]:
    """Return (N,) float32 in [0, 1]: the likelihood of ``word`` in each crop, normalised for its length.

    Args:
        word: folded; ``*`` stands for anything, ``?`` for one character; a word of wildcards alone is
            likely in crops without other letters or digits.
        posteriors: N times what ``pack_posteriors`` returned, of any length.
    """
    symbols = _symbols(word)
    return _likelihoods(_unpack_costs(posteriors)[:, symbols], symbols[:, np.newaxis], _known_length(word))


def pair_likelihoods(words: Sequence[str], posteriors: Sequence[bytes]) -> NDArray[np.float32]:
    """Return (N,) float32: the likelihood of one word for each of N crops; see :func:`word_likelihoods`."""
    found = np.empty(len(words), np.float32)
    if not words:
        return found
    spelled, costs = [_symbols(word) for word in words], _unpack_costs(posteriors)
    for length in {len(symbols) for symbols in spelled}:
        at = [i for i, symbols in enumerate(spelled) if len(symbols) == length]
        symbols = np.stack([spelled[i] for i in at], axis=1)
        symbol_costs = np.take_along_axis(costs[:, :, at], symbols[np.newaxis], axis=1)
        found[at] = _likelihoods(symbol_costs, symbols, np.array([_known_length(words[i]) for i in at]))
    return found


def _known_length(word: str) -> int:
    return max(len(fixed_part(word)), 1)


def _unpack_costs(posteriors: Sequence[bytes]) -> NDArray[np.int32]:
    """Return (T, S, N) int32: the cost of each symbol in each frame of N crops."""
    max_bytes = max(map(len, posteriors), default=0)
    padded = (each + _BLANK * ((max_bytes - len(each)) // CLASSES) for each in posteriors)
    packed = np.stack([np.frombuffer(each, np.uint8) for each in padded], axis=-1)
    costs = packed.reshape(-1, CLASSES, len(posteriors)).astype(np.int32)
    any_character, anything = costs[:, 1:].min(axis=1, keepdims=True), np.zeros_like(costs[:, :1])
    return np.concatenate([costs, any_character, anything], axis=1)


def _likelihoods(
    symbol_costs: NDArray[np.int32], symbols: NDArray[np.int64], known_lengths: int | NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return (N,) from the (T, 2 L + 1, N) costs ``symbol_costs`` and the symbols, (2 L + 1, N or 1)."""
    return np.asarray(
        np.exp(-_min_path_costs(symbol_costs, symbols) / (_STEPS_PER_NAT * _TEMPERATURE * known_lengths)),
        np.float32,
    )


def _symbols(word: str) -> NDArray[np.int64]:
    """Return (2 L + 1,) the symbols of an alignment: the L characters, and blanks around them."""
    symbols = [0]
    for character in word:
        if character == "*":
            symbols[-1] = _ANYTHING
        else:
            symbols += [_ANY_CHARACTER if character == "?" else _class_of(character), 0]
    return np.array(symbols)


def _min_path_costs(symbol_costs: NDArray[np.int32], symbols: NDArray[np.int64]) -> NDArray[np.int32]:
    """Return (N,) the cost of the best alignment (Viterbi); arguments as of :func:`_likelihoods`."""
    can_skip = np.zeros(symbols.shape, bool)  # over a blank, to another character
    can_skip[3::2] = (symbols[3::2] != symbols[1:-2:2]) | (symbols[3::2] == _ANY_CHARACTER)
    path_costs = np.full(symbol_costs.shape[1:], _INFINITE, np.int32)
    path_costs[:2] = symbol_costs[0, :2]
    for frame in symbol_costs[1:]:
        previous = path_costs
        path_costs = previous.copy()
        np.minimum(path_costs[1:], previous[:-1], out=path_costs[1:])
        np.minimum(path_costs[2:], np.where(can_skip[2:], previous[:-2], _INFINITE), out=path_costs[2:])
        path_costs += frame
    return np.asarray(path_costs[-2:].min(axis=0), np.int32)


def _class_of(character: str) -> int:
    return 1 + ALPHANUMERIC.index(character)


def _folding_matrix(charset: Charset) -> NDArray[np.float32]:
    """Return (V, ``CLASSES``): 1 where a class folds to one of the characters of queries."""
    matrix = np.zeros((len(charset), CLASSES), np.float32)
    matrix[0, 0] = 1
    for number, character in enumerate(charset.characters, start=1):
        folded = normalize(character)
        matrix[number, _class_of(folded[0]) if folded else 0] = 1
    return matrix
