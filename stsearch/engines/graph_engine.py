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
from stsearch.text.charset import ALPHANUMERIC, Charset, normalize
from stsearch.text.decoding import END

_CERTAIN = 20.0  # logit of a probability of 1

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
        embeddings, logits = self._regions.run({"regions": sampled})
        return RegionReadings(embeddings.copy(), logits.copy())

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
        keys, values, ctc_logits, orientation = (each.copy() for each in self._image.run({"crops": crops}))
        memory = _Memory(self._decoder, keys, values)
        spelled = self._spell(memory)
        for _ in range(self.config.refinements):
            spelled = self._refine(memory, spelled)
        return CropReadings(_softmax(spelled), ctc_logits, orientation)

    def _spell(self, memory: _Memory) -> Array:
        """Return (N, L, V) logits, decoded position by position until all words end or at the longest.

        Words that ended leave the batch in groups; their further logits are those of an end.
        """
        count, length = len(memory.keys), self.config.max_length + 1
        tokens = np.full((count, 1), self._start)
        rows, ended = np.arange(count), np.zeros(count, np.bool_)
        logits: list[Array] = []
        for place in range(length):
            here = np.array([place])
            seen = memory.step(tokens, here)[:, 0]
            table = np.full((count, seen.shape[1]), -_CERTAIN, np.float32)
            table[:, END] = _CERTAIN
            table[rows] = seen
            logits.append(table)
            tokens = seen.argmax(axis=1)[:, None]
            ended |= tokens[:, 0] == END
            left = np.flatnonzero(~ended)
            if not len(left):
                break
            if len(left) <= len(ended) // 2:
                rows, tokens, ended = rows[left], tokens[left], ended[left]
                memory = memory.take(left)
        return np.stack(logits, axis=1)

    def _refine(self, memory: _Memory, spelled: Array) -> Array:
        """Return (N, L, V) logits of each position, given all other characters of ``spelled`` (cloze)."""
        classes = spelled.argmax(axis=2)[:, :-1]
        count, length = spelled.shape[:2]
        inside = np.cumsum(classes == END, axis=1) == 0  # characters, no ends and nothing after them
        allowed = np.ones((count, length, length), np.bool_)
        allowed[:, :, 1:] = ~np.eye(length, length - 1, dtype=np.bool_) & inside[:, None]
        tokens = np.concatenate([np.full((count, 1), self._start), classes], axis=1)
        places = np.arange(length)
        return memory.fresh().decode(tokens, places, allowed)

    def log_probabilities(self, words: Sequence[str]) -> Array | None:
        """Return (N,) float32 of the character language model; None without one."""
        if self._strings is None:
            return None
        spelled = [[*self._folded.encode(normalize(word)), 0] for word in words]
        targets = np.zeros((len(words), max(map(len, spelled))), np.int64)
        counted = np.zeros(targets.shape, np.bool_)
        for row, mask, classes in zip(targets, counted, spelled, strict=True):
            row[: len(classes)], mask[: len(classes)] = classes, True
        start = np.full((len(words), 1), len(self._folded))
        [logits] = self._strings.run({"classes": np.concatenate([start, targets[:, :-1]], axis=1)})
        probability = np.take_along_axis(_softmax(logits), targets[:, :, None], axis=2)[:, :, 0]
        return np.asarray((np.log(np.maximum(probability, 1e-30)) * counted).sum(axis=1), np.float32)


class _Memory:
    """What the decoder attends to: the tokens of N crops, and the characters so far."""

    def __init__(self, decoder: Graph, keys: Array, values: Array) -> None:
        self._decoder = decoder
        self.keys, self.values = keys, values  # (N, heads, M, D / heads)
        self._context = np.zeros((len(keys), keys.shape[1], 0, keys.shape[3]), np.float32)
        self._context_values = self._context

    def fresh(self) -> _Memory:
        """Return the memory of the same crops without characters."""
        return _Memory(self._decoder, self.keys, self.values)

    def take(self, rows: NDArray[np.intp]) -> _Memory:
        """Return the memory of some of the crops."""
        taken = _Memory(self._decoder, self.keys[rows], self.values[rows])
        taken._context, taken._context_values = self._context[rows], self._context_values[rows]
        return taken

    def step(self, tokens: Classes, place: Classes) -> Array:
        """Add (N, 1) tokens at ``place`` (1,); return the logits of that place, (N, 1, V)."""
        allowed = np.ones((len(tokens), 1, self._context.shape[2] + 1), np.bool_)
        return self.decode(tokens, place, allowed)

    def decode(self, tokens: Classes, places: Classes, allowed: NDArray[np.bool_]) -> Array:
        """Add (N, L) tokens at (L,) places; return (N, L, V) logits of these places.

        Args:
            tokens: classes.
            places: from 0.
            allowed: (N, L, J), which of all tokens so far each place attends to.
        """
        logits, keys, values = self._decoder.run(
            {
                "tokens": tokens,
                "token_places": places,
                "places": places,
                "allowed": allowed,
                "keys": self.keys,
                "values": self.values,
                "context_keys": self._context,
                "context_values": self._context_values,
            }
        )
        self._context, self._context_values = keys.copy(), values.copy()
        return logits.copy()


def _softmax(logits: Array) -> Array:
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), np.float32)
