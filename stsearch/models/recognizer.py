"""CLIP4STR: a visual branch reads a word crop, a cross-modal branch refines its text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stsearch.config import RecognizerConfig
from stsearch.models.character_lm import CharacterLM
from stsearch.models.layers import dtype_of, normalise
from stsearch.models.permuted_decoder import KeysValues, PermutedDecoder, draw_orders, make_attention_mask
from stsearch.models.text_encoder import ClipTextEncoder, tokenize
from stsearch.models.vision_tower import VisionTower
from stsearch.text.charset import Charset, normalize
from stsearch.text.decoding import END

IGNORED = -100  # a target that the loss ignores
_CERTAIN = 20.0  # logit of a probability of 1


@dataclass(frozen=True, slots=True, eq=False)
class SpellingLogits:
    """Logits of the branches for B crops in K character orders; V classes, 0 ends a word."""

    branches: dict[str, Tensor]  # "visual" and, where it is trained, "cross": (B, K, L, V)
    targets: Tensor  # (B, K, L) int64; IGNORED where an order predicts nothing


class CrossModalBranch(nn.Module):
    """Reads a crop with the string of the visual branch beside it (CLIP4STR, section 3.3)."""

    def __init__(self, text: ClipTextEncoder, decoder: PermutedDecoder) -> None:
        super().__init__()
        self.text = text
        self.decoder = decoder

    def memory(self, features: Tensor, words: Sequence[str]) -> KeysValues:
        """Return the memory of the decoder: (B, M, D) image tokens, then the tokens of B strings."""
        tokens = tokenize(words, self.text.config)
        tokens = F.pad(tokens, (0, self.text.config.context_length - tokens.shape[1]))
        texts = self.text.encode_all(tokens.to(features.device))
        joined: KeysValues = self.decoder.memory(torch.cat([features, texts.to(features.dtype)], dim=1))
        return joined


class Recognizer(nn.Module):
    """Read word crops (CLIP4STR, Zhao et al. 2024, section 3); ``cross`` is None without a second branch."""

    def __init__(
        self,
        config: RecognizerConfig,
        image: VisionTower,
        visual: PermutedDecoder,
        cross: CrossModalBranch | None,
        character_lm: CharacterLM | None,
    ) -> None:
        super().__init__()
        self.config = config
        self.charset = Charset(config.characters)
        self.image = image
        self.visual = visual
        self.cross = cross
        self.ctc_head = nn.Linear(config.output_dim, len(self.charset))
        self.orientation_head = nn.Linear(config.output_dim, 1)
        self.character_lm = character_lm
        mean, std = (torch.tensor(values)[:, None, None] * 255 for values in (config.mean, config.std))
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)

    def teach(
        self,
        features: Tensor,
        words: Sequence[str],
        orders: int,
        random: np.random.Generator,
        with_cross: bool = True,
    ) -> SpellingLogits:
        """Predict ``words`` in K ``orders``, each character from those before it (PARSeq, section 3.2).

        Args:
            features: (B, M, D) image tokens.
            words: B labels of 1 to ``max_length`` characters of the charset.
            orders: K.
            random: Draws the orders.
            with_cross: Train the cross-modal branch too, if there is one.
        """
        inputs, targets = self._as_classes(words, features.device)
        length = targets.shape[1]
        ranks = draw_orders(length, orders, random)
        known = F.pad(targets[:, :-1] > END, (1, 0), value=True)  # the start and the characters, no padding
        allowed = torch.from_numpy(make_attention_mask(ranks)).to(features.device) & known[:, None]
        places = torch.arange(length, device=features.device).repeat(orders)

        def spell(decoder: PermutedDecoder, memory: KeysValues) -> Tensor:
            logits: Tensor = decoder(memory, decoder.context(inputs), places, allowed)
            by_order: Tensor = logits.unflatten(1, (orders, length))
            return by_order

        memory = self.visual.memory(features)
        branches = {"visual": spell(self.visual, memory)}
        if with_cross and self.cross is not None:
            with torch.no_grad():
                guess = self._spell(self.visual, memory, self.config.max_length + 1)
            # Gradients reach the image tower from the visual branch alone.
            cross_memory = self.cross.memory(features.detach(), self._texts_of(guess))
            branches["cross"] = spell(self.cross.decoder, cross_memory)
        # The end of a word is predicted left to right and right to left only, not in random orders.
        ends_left_out = torch.where(targets == END, IGNORED, targets)
        judged = torch.stack([targets if k < 2 else ends_left_out for k in range(orders)], dim=1)
        return SpellingLogits(branches, judged)

    def features(self, images: Tensor) -> Tensor:
        """Return the (B, M, D) image tokens of (B, 3, H, W) crops, RGB in [0, 255]."""
        pixels = normalise(images, self.get_buffer("mean"), self.get_buffer("std"), dtype_of(self.image))
        tokens: Tensor = self.image(pixels)
        return tokens

    def ctc_logits(self, features: Tensor) -> Tensor:
        """Return (B, T, V) CTC logits, a frame for each column of image tokens; class 0 is the blank.

        Not of the paper: in training they align tokens and characters long before the decoders can, and
        ranking computes the likelihood of a word from them (``text.ctc``).
        """
        logits: Tensor = self.ctc_head(self.image.pool_columns(features))
        return logits

    def orientation_logits(self, features: Tensor) -> Tensor:
        """Return (B,) logits, from the class tokens: below 0 a crop is upside down."""
        logits: Tensor = self.orientation_head(features[:, 0]).squeeze(1)
        return logits

    def read(self, features: Tensor) -> Tensor:
        """Return class probabilities by dual predict-and-refine (CLIP4STR, section 3.4).

        Args:
            features: (B, M, D) image tokens.

        Returns:
            (B, L, V) float32 class probabilities at L positions, L as many as the longest word needs.
        """
        memory = self.visual.memory(features)
        spelled = self._predict(self.visual, memory)
        if self.cross is None or not self.config.cross_modal:
            for _ in range(self.config.refinements):
                spelled = self._refine(self.visual, memory, spelled)
            return spelled.float().softmax(dim=-1)
        decoder, memory_of = self.cross.decoder, self.cross.memory
        answer = self._predict(decoder, memory_of(features, self._texts_of(spelled)))
        for _ in range(self.config.refinements):
            spelled = self._refine(self.visual, memory, spelled)
            answer = self._refine(decoder, memory_of(features, self._texts_of(spelled)), answer)
        return answer.float().softmax(dim=-1)

    def _as_classes(self, words: Sequence[str], device: torch.device) -> tuple[Tensor, Tensor]:
        """Return (B, L) inputs, shifted right by the start token, and (B, L) targets with ends."""
        classes = [self.charset.encode(word) for word in words]
        length = min(max(map(len, classes)), self.config.max_length) + 1
        targets = torch.full((len(words), length), IGNORED)
        for row, spelled in zip(targets, classes, strict=True):
            row[: len(spelled) + 1] = torch.tensor([*spelled, END])
        inputs = F.pad(targets[:, :-1].clamp(min=END), (1, 0), value=self.visual.start)
        return inputs.to(device), targets.to(device)

    def _predict(self, decoder: PermutedDecoder, memory: KeysValues) -> Tensor:
        if self.config.autoregressive:
            return self._spell(decoder, memory, self.config.max_length + 1)
        start = self._starts(memory)
        places = torch.arange(self.config.max_length + 1, device=start.device)
        logits: Tensor = decoder(memory, decoder.context(start), places)
        return logits

    def _spell(self, decoder: PermutedDecoder, memory: KeysValues, length: int) -> Tensor:
        """Return (B, L, V) logits, decoded position by position until all words end or at ``length``.

        Words that ended leave the batch in groups; their further logits are those of an end.
        """
        tokens = self._starts(memory)
        rows = torch.arange(len(tokens), device=tokens.device)
        unfinished = torch.ones_like(rows, dtype=torch.bool)
        context: KeysValues | None = None
        logits: list[Tensor] = []
        for place in range(length):
            here = torch.tensor([place], device=tokens.device)
            added = decoder.context(tokens, here)
            context = added if context is None else _join(context, added)
            spelled = decoder(memory, context, here)
            ended = spelled.new_full((len(unfinished), *spelled.shape[1:]), -_CERTAIN)
            ended[..., END] = _CERTAIN
            logits.append(ended.index_copy(0, rows, spelled))
            tokens = spelled.argmax(dim=-1)
            unfinished[rows] &= (tokens != END).flatten()
            left = int(unfinished[rows].sum())
            if not left:
                break
            if left <= len(rows) // 2:
                kept = (~unfinished[rows]).argsort(stable=True)[:left]
                rows, tokens = rows[kept], tokens[kept]
                memory, context = _take_rows(memory, kept), _take_rows(context, kept)
        return torch.cat(logits, dim=1)

    def _refine(self, decoder: PermutedDecoder, memory: KeysValues, spelled: Tensor) -> Tensor:
        """Return (B, L, V) logits of each position, given all other characters of ``spelled`` (cloze)."""
        classes = spelled.argmax(dim=-1)[:, :-1]
        length = spelled.shape[1]
        inside = (classes == END).cumsum(dim=1) == 0  # characters, no ends and nothing after them
        others = ~torch.eye(length, length - 1, dtype=torch.bool, device=classes.device)
        allowed = F.pad(others & inside[:, None], (1, 0), value=True)
        context = decoder.context(torch.cat([self._starts(memory), classes], dim=1))
        logits: Tensor = decoder(memory, context, torch.arange(length, device=classes.device), allowed)
        return logits

    def _texts_of(self, spelled: Tensor) -> list[str]:
        """Return the strings, folded, that (B, L, V) logits spell."""
        return [self._text_of(row) for row in spelled.argmax(dim=-1).tolist()]

    def _text_of(self, classes: list[int]) -> str:
        end = classes.index(END) if END in classes else len(classes)
        return normalize(self.charset.decode(classes[:end]))

    def _starts(self, memory: KeysValues) -> Tensor:
        return torch.full((len(memory[0]), 1), self.visual.start, device=memory[0].device)


def _join(first: KeysValues, second: KeysValues) -> KeysValues:
    return torch.cat([first[0], second[0]], dim=2), torch.cat([first[1], second[1]], dim=2)


def _take_rows(keys_values: KeysValues, rows: Tensor) -> KeysValues:
    return keys_values[0][rows], keys_values[1][rows]


def build_recognizer(config: RecognizerConfig) -> Recognizer:
    """Build the recognizer of ``config`` with random weights."""

    def decoder() -> PermutedDecoder:
        classes = len(config.characters) + 1
        return PermutedDecoder(
            classes, config.output_dim, config.decoder_heads, config.max_length, config.dropout
        )

    cross = (
        CrossModalBranch(ClipTextEncoder(config.text, config.output_dim), decoder())
        if config.cross_modal
        else None
    )
    character_lm = CharacterLM(config.character_lm) if config.character_lm else None
    return Recognizer(config, VisionTower(config), decoder(), cross, character_lm)
