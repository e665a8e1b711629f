"""Detection and similarity losses: functions of predictions and targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cdist
from torch import Tensor
from torch.nn import functional as F

from stsearch.text.charset import ALPHANUMERIC

_CLOSE_UP_WEIGHT = 2.0
"""Of cells that need a close-up: a word that is never looked at is lost, an empty cell costs some pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class DetectionTargets:
    """Target maps of detection; all (B, H/stride, W/stride) float32."""

    kernel: Tensor  # 1 inside a shrunken word
    care: Tensor  # 0 where the kernel map is ignored
    border: Tensor  # the threshold map: 0.7 on a word's outline, falling off to 0.3
    border_care: Tensor  # 1 near outlines, where the threshold map counts


@dataclass(frozen=True, slots=True, eq=False)
class CloseUpTargets:
    """Targets of the close-up map."""

    needed: Tensor  # (B, S, h, w) float32, 1 where text is so small that it needs a size or a larger one
    care: Tensor  # (B, h, w) float32, 0 where the map is ignored


def balanced_bce(logits: Tensor, target: Tensor, care: Tensor, negatives_per_positive: float = 3.0) -> Tensor:
    """Return binary cross-entropy over all positives and the hardest negatives, 3 to 1 (DB, section 3.5)."""
    positive = target * care
    negative = (1 - target) * care
    losses = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    kept = int(
        min(float(negative.sum()), max(float(positive.sum()), logits.shape[-1] / 4) * negatives_per_positive)
    )
    hardest = (losses * negative).flatten().topk(kept).values.sum() if kept else losses.new_zeros(())
    return ((losses * positive).sum() + hardest) / (positive.sum() + kept + 1e-6)


def dice_loss(probability: Tensor, target: Tensor, care: Tensor) -> Tensor:
    """Return 1 - the Dice coefficient where ``care``; 0 when both maps are empty."""
    overlap = (probability * target * care).sum()
    total = (probability * care).sum() + (target * care).sum()
    return 1 - 2 * (overlap + 0.5) / (total + 1)


def threshold_loss(logits: Tensor, targets: DetectionTargets) -> Tensor:
    """Return the L1 distance of the threshold map from the border map near outlines (DB, equation 7)."""
    distance = (logits.float().sigmoid() - targets.border).abs() * targets.border_care
    return distance.sum() / (targets.border_care.sum() + 1e-6)


def matching_loss(text_map: Tensor, targets: DetectionTargets) -> Tensor:
    """Return the balanced cross-entropy of the instance-language map (FastTCM, section 3.5).

    Args:
        text_map: (B, h, w) logits.
        targets: at the detector's stride; a cell of the map is text where any kernel touches it, and is
            ignored where there is no kernel and a cell inside it is ignored.
    """
    size = text_map.shape[-2:]
    text = F.adaptive_max_pool2d(targets.kernel, size)
    care = torch.maximum(text, 1 - F.adaptive_max_pool2d(1 - targets.care, size))
    return balanced_bce(text_map, text, care)


def close_up_loss(logits: Tensor, targets: CloseUpTargets) -> Tensor:
    """Return the mean cross-entropy of the close-up map; a cell to look at counts as much as several others.

    Args:
        logits: (B, S, h, w).
        targets: of the same cells.
    """
    weight = logits.new_tensor(_CLOSE_UP_WEIGHT)
    losses = F.binary_cross_entropy_with_logits(logits, targets.needed, reduction="none", pos_weight=weight)
    return (losses.mean(dim=1) * targets.care).sum() / (targets.care.sum() + 1e-6)


def contrastive_loss(images: Tensor, texts: Tensor, same: Tensor, temperature: float) -> Tensor:
    """Return the symmetric cross-entropy of matching pictures with strings (CLIP, figure 3).

    Args:
        images: (N, D) embeddings of pictures.
        texts: (N, D) embeddings of their transcripts, in the same order.
        same: (N, N) bool, whether picture i shows string j; true on the diagonal.
        temperature: that cosines are divided by; CLIP learns it, starting from 0.07.
    """
    cosines = F.normalize(images.float(), dim=1) @ F.normalize(texts.float(), dim=1).T
    logits, matches = cosines / temperature, same.float()
    by_image = F.cross_entropy(logits, matches / matches.sum(dim=1, keepdim=True))
    by_text = F.cross_entropy(logits.T, matches.T / matches.T.sum(dim=1, keepdim=True))
    return (by_image + by_text) / 2


def edit_similarities(a: Sequence[str], b: Sequence[str]) -> Tensor:
    """Return the (len(a), len(b)) matrix of 1 - edit distance / longer length (TDSL, section 3.3)."""
    return torch.from_numpy(cdist(a, b, scorer=Levenshtein.normalized_similarity, dtype=np.float32))


def similarity_loss(left: Tensor, right: Tensor, target: Tensor, hardest: int) -> Tensor:
    """Return the smooth L1 error of cosines: the ``hardest`` of each row averaged (TDSL, equation 6).

    Args:
        left: (N, D) unit rows.
        right: (M, D) unit rows.
        target: (N, M) edit similarities.
        hardest: pairs a row that count; the paper takes 1.
    """
    errors = F.smooth_l1_loss(left @ right.T, target, reduction="none", beta=0.25)
    return errors.topk(min(hardest, errors.shape[1]), dim=1).values.mean()


def ctc_loss(logits: Tensor, words: Sequence[Sequence[int]]) -> Tensor:
    """Return the mean CTC loss of (R, K, V) logits; words that do not fit into K frames count 0."""
    lengths = torch.tensor([len(word) for word in words])
    labels = torch.tensor([character for word in words for character in word], dtype=torch.long)
    frames = torch.full((len(words),), logits.shape[1], dtype=torch.long)
    log_probabilities = logits.float().log_softmax(-1).transpose(0, 1)
    losses = F.ctc_loss(
        log_probabilities, labels.to(logits.device), frames, lengths, reduction="none", zero_infinity=True
    )
    return (losses / lengths.to(losses.device).clamp(min=1)).mean()


def misspell(word: str, random: np.random.Generator) -> str:
    """Return a pseudo-word near ``word``: per character insert, delete, change or keep with odds 1:1:1:5.

    At least one character remains. Source: the word augmentation of TDSL and PSTR.
    """
    letters: list[str] = []
    for letter in word:
        action = random.choice(4, p=(0.125, 0.125, 0.125, 0.625))
        other = ALPHANUMERIC[random.integers(len(ALPHANUMERIC))]
        letters += {0: [letter, other], 1: [], 2: [other], 3: [letter]}[int(action)]
    return "".join(letters) or word
