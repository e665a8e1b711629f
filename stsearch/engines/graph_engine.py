"""The CPU engine: exported graphs in 8 bits, and the little between them in numpy. No torch.

``tests/engines`` holds it to the outputs of the torch engine.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stsearch.config import ModelConfig, RecognizerConfig
from stsearch.engines.contract import Array, CropReadings, EncodedImages, RegionReadings
from stsearch.engines.graphs import CROPS, DECODER, REGIONS, SCENE, STRINGS, Graph, LazyGraph, Open
from stsearch.engines.region_sampling import sample_regions
from stsearch.padding import pad_to_multiple
from stsearch.text.charset import ALPHANUMERIC, Charset, normalize
from stsearch.text.decoding import END, softmax

_CERTAIN = 20.0  # logit of a probability of 1
_CROP_STEP, _REGION_STEP, _LENGTH_STEP = 8, 32, 8
"""Batches of crops and regions, and lengths of words, are padded to multiples of these: a runtime prepares
itself for every new shape, and keeps what it prepared."""
_MAX_REGIONS = 64  # at once; more take memory, and no less time each

Classes = NDArray[np.int64]


class GraphSceneEngine:
    """Finds and embeds words with exported graphs; fulfils ``contract.SceneEngine``."""

    device = "cpu"
    wants_batches = False

    def __init__(self, config: ModelConfig, open_graph: Open, precision: str, callers: int = 1) -> None:
        """Take the graphs of a network.

        Args:
            config: of the network.
            open_graph: opens them.
            precision: what they compute in, and with which library.
            callers: threads that call at the same time.
        """
        self.config, self.precision = config, precision
        self._open = open_graph
        self._scene, self._regions = (LazyGraph(open_graph, name, callers) for name in (SCENE, REGIONS))
        recognizer = config.recognizer
        self.crops = (
            None if recognizer is None else GraphCropEngine(recognizer, open_graph, precision, callers)
        )

    def encode(self, images: NDArray[np.uint8]) -> EncodedImages:
        """Run the detection network on (B, H, W, 3) RGB images; H and W are multiples of 32.

        All outputs are overwritten by the next call of the same thread.
        """
        probability, *maps = self._scene.run({"images": images})
        close_ups = None if self.config.close_ups is None else maps.pop(0)
        return EncodedImages(probability, close_ups, maps)

    def read_regions(self, encoded: EncodedImages, edges: Array, owner: NDArray[np.int64]) -> RegionReadings:
        """Embed and read regions, as ``contract.SceneEngine`` says."""
        rows, _ = self.config.embedder.region
        sampled = sample_regions(encoded.levels, edges, owner, rows)
        found: list[list[Array]] = []
        for at in range(0, len(sampled), _MAX_REGIONS):
            some = sampled[at : at + _MAX_REGIONS]
            outputs = self._regions.run({"regions": some[_pad_rows(len(some), _REGION_STEP)]})
            found.append([each[: len(some)].copy() for each in outputs])
        embeddings, logits = (np.concatenate(each) for each in zip(*found, strict=True))
        return RegionReadings(embeddings, logits)

    def for_callers(self, count: int) -> GraphSceneEngine:
        """Return the same engine made for ``count`` threads that call it at the same time."""
        return GraphSceneEngine(self.config, self._open, self.precision, count)


class GraphCropEngine:
    """Reads word crops with exported graphs; fulfils ``contract.CropEngine``."""

    device = "cpu"

    def __init__(self, config: RecognizerConfig, open_graph: Open, precision: str, callers: int = 1) -> None:
        """Take the graphs of a recognizer of one branch; arguments as of :class:`GraphSceneEngine`."""
        self.config, self.precision = config, precision
        self._image, self._decoder = (LazyGraph(open_graph, name, callers) for name in (CROPS, DECODER))
        self._strings = LazyGraph(open_graph, STRINGS, callers) if config.character_lm else None
        self._start = len(config.characters) + 1  # the token before a word
        self._folded = Charset(ALPHANUMERIC)

    def read(self, crops: NDArray[np.uint8]) -> CropReadings:
        """Read (N, H, W, 3) RGB crops of the configured size (CLIP4STR, section 3.4)."""
        count = len(crops)
        padded = crops[_pad_rows(count, _CROP_STEP)]
        keys, values, ctc_logits, orientation = (each.copy() for each in self._image.run({"crops": padded}))
        memory = _Memory(self._decoder, keys, values, self.config.max_length + 1)
        spelled = self._spell(memory)
        for _ in range(self.config.refinements):
            spelled = self._refine(memory, spelled)
        return CropReadings(softmax(spelled[:count]), ctc_logits[:count], orientation[:count])

    def _spell(self, memory: _Memory) -> Array:
        """Return (N, L, V) logits, decoded position by position until all words end or at the longest.

        Words that ended leave the batch in groups; their further logits are those of an end.
        """
        count = len(memory.keys)
        tokens = np.full((count, 1), self._start)
        rows, ended = np.arange(count), np.zeros(count, np.bool_)
        logits: list[Array] = []
        for place in range(self.config.max_length + 1):
            seen = memory.step(tokens, place)[:, 0]
            table = np.full((count, seen.shape[1]), -_CERTAIN, np.float32)
            table[:, END] = _CERTAIN
            table[rows] = seen
            logits.append(table)
            tokens = seen.argmax(axis=1)[:, None]
            ended |= tokens[:, 0] == END
            left = np.flatnonzero(~ended)
            if not len(left):
                break
            if pad_to_multiple(len(left), _CROP_STEP) <= len(ended) // 2:
                left = left[_pad_rows(len(left), _CROP_STEP)]
                rows, tokens, ended = rows[left], tokens[left], ended[left]
                memory = memory.take(left)
        return np.stack(logits, axis=1)

    def _refine(self, memory: _Memory, spelled: Array) -> Array:
        """Return (N, L, V) logits of each position, given all other characters of ``spelled`` (cloze)."""
        count, length = spelled.shape[:2]
        padded = min(pad_to_multiple(length, _LENGTH_STEP), self.config.max_length + 1)
        tokens = np.full((count, padded), END)
        tokens[:, 0] = self._start
        tokens[:, 1:length] = spelled.argmax(axis=2)[:, :-1]
        inside = np.cumsum(tokens[:, 1:] == END, axis=1) == 0  # characters, no ends and nothing after them
        allowed = np.ones((count, padded, padded), np.bool_)
        allowed[:, :, 1:] = ~np.eye(padded, padded - 1, dtype=np.bool_) & inside[:, None]
        return memory.decode(tokens, np.arange(padded), allowed)[:, :length]

    def log_probabilities(self, words: Sequence[str]) -> Array | None:
        """Return (N,) float32 of the character language model; None without one."""
        if self._strings is None:
            return None
        spelled = [[*self._folded.encode(normalize(word)), 0] for word in words]
        longest = pad_to_multiple(max(map(len, spelled)), _LENGTH_STEP)
        targets = np.zeros((pad_to_multiple(len(words), _REGION_STEP), longest), np.int64)
        counted = np.zeros(targets.shape, np.bool_)
        for row, mask, classes in zip(targets, counted, spelled, strict=False):  # padded
            row[: len(classes)], mask[: len(classes)] = classes, True
        start = np.full((len(targets), 1), len(self._folded))
        [logits] = self._strings.run({"classes": np.concatenate([start, targets[:, :-1]], axis=1)})
        probability = np.take_along_axis(softmax(logits), targets[:, :, None], axis=2)[:, :, 0]
        logs = (np.log(np.maximum(probability, 1e-30)) * counted).sum(axis=1)
        return np.asarray(logs[: len(words)], np.float32)


class _Memory:
    """What the decoder attends to: the tokens of N crops, and up to L characters so far.

    The characters have L places from the start on, most of them masked: few shapes for a runtime to prepare.
    """

    def __init__(self, decoder: Graph, keys: Array, values: Array, length: int) -> None:
        self._decoder, self._length = decoder, length
        self.keys, self.values = keys, values  # (N, heads, M, D / heads)
        shape = (*keys.shape[:2], length, keys.shape[3])
        self._context = np.zeros(shape, np.float32), np.zeros(shape, np.float32)

    def take(self, rows: NDArray[np.intp]) -> _Memory:
        """Return the memory of some of the crops."""
        taken = _Memory(self._decoder, self.keys[rows], self.values[rows], self._length)
        taken._context = self._context[0][rows], self._context[1][rows]
        return taken

    def step(self, tokens: Classes, place: int) -> Array:
        """Add (N, 1) tokens at a place; return the logits of that place, (N, 1, V)."""
        allowed = np.ones((len(tokens), 1, self._length + 1), np.bool_)
        allowed[:, :, place : self._length] = False
        logits, *added = self._run(tokens, np.array([place]), allowed, self._context)
        for context, states in zip(self._context, added, strict=True):
            context[:, :, place] = states[:, :, 0]
        return logits.copy()

    def decode(self, tokens: Classes, places: Classes, allowed: NDArray[np.bool_]) -> Array:
        """Return (N, L, V) logits of (L,) places for (N, L) tokens, without the characters so far.

        Args:
            tokens: classes.
            places: from 0.
            allowed: (N, L, L), which of the tokens each place attends to.
        """
        none = self._context[0][:, :, :0]
        return self._run(tokens, places, allowed, (none, none))[0].copy()

    def _run(
        self, tokens: Classes, places: Classes, allowed: NDArray[np.bool_], context: tuple[Array, Array]
    ) -> list[Array]:
        return self._decoder.run(
            {
                "tokens": tokens,
                "places": places,
                "allowed": allowed,
                "keys": self.keys,
                "values": self.values,
                "context_keys": context[0],
                "context_values": context[1],
            }
        )


def _pad_rows(count: int, multiple: int) -> NDArray[np.intp]:
    """Return the indices of ``count`` rows, padded to a multiple by repeating the first rows."""
    return np.arange(pad_to_multiple(count, multiple)) % count
