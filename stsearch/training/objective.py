"""The joint objective: the weighted losses of a batch (TDSL, equation 8)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from stsearch.config import LossWeights, StageConfig
from stsearch.errors import UsageError
from stsearch.models.detector import DetectionMaps, binary_map
from stsearch.models.embedder import RegionReadings
from stsearch.models.layers import pad_indices
from stsearch.models.prompts import TextPrompt
from stsearch.models.recognizer import IGNORED, Recognizer
from stsearch.models.scene_text import SceneTextModel
from stsearch.models.text_encoder import tokenize
from stsearch.padding import pad_to_multiple
from stsearch.text.charset import Charset
from stsearch.training.batches import Batch
from stsearch.training.crops import CropBatch
from stsearch.training.losses import (
    balanced_bce,
    close_up_loss,
    contrastive_loss,
    ctc_loss,
    dice_loss,
    edit_similarities,
    matching_loss,
    misspell,
    similarity_loss,
    threshold_loss,
)

LENGTH_GROUPS = 3

PADDING = 32
"""Regions and words of a step are padded to a multiple of it: oneDNN compiles for a second per shape."""


def total_loss(
    model: SceneTextModel, batch: Batch | CropBatch, stage: StageConfig, random: np.random.Generator
) -> dict[str, Tensor]:
    """Return the weighted terms of the loss for ``batch``: of the recognizer on crops, else of the rest.

    Args and errors are those of :func:`joint_loss`.
    """
    if isinstance(batch, CropBatch):
        return _recognition_losses(model, batch, stage, random)
    return joint_loss(model, batch, stage, random)


def _recognition_losses(
    model: SceneTextModel, batch: CropBatch, stage: StageConfig, random: np.random.Generator
) -> dict[str, Tensor]:
    """Return CLIP4STR's loss: both branches spell every word in several orders (section 3.3).

    A batch without images has the loss of the character model alone.
    """
    recognizer, weights = model.recognizer, stage.weights
    if recognizer is None:
        raise UsageError(f"model {model.config.name} has no recognizer to train")
    losses: dict[str, Tensor] = {}
    if weights.character_lm:
        if recognizer.character_lm is None:
            raise UsageError(f"model {model.config.name} has no character model to train: its width is 0")
        losses["character_lm"] = weights.character_lm * recognizer.character_lm.loss(batch.words)
    if not len(batch.images):
        return losses
    features = recognizer.features(batch.images)
    if weights.orientation:
        upright = recognizer.orientation_logits(features).float()
        target = (torch.arange(len(upright), device=upright.device) < len(batch.words)).float()
        losses["orientation"] = weights.orientation * F.binary_cross_entropy_with_logits(upright, target)
    readable = features[: len(batch.words)]
    if weights.recognizer_ctc:
        classes = [recognizer.charset.encode(word) for word in batch.words]
        losses["recognizer_ctc"] = weights.recognizer_ctc * ctc_loss(recognizer.ctc_logits(readable), classes)
    if weights.plm:
        losses |= _spelling_losses(recognizer, readable, batch.words, stage, random)
    return losses


def _spelling_losses(
    recognizer: Recognizer,
    features: Tensor,
    words: list[str],
    stage: StageConfig,
    random: np.random.Generator,
) -> dict[str, Tensor]:
    """Return the mean cross-entropy of a character in each branch, words of similar length grouped.

    All words of a group are padded to its longest: in a single group one long word would double the cost.
    """
    order = sorted(range(len(words)), key=lambda i: len(words[i]))
    with_cross = random.random() < stage.cross_share
    sums: dict[str, Tensor] = {}
    count = 0
    size = -(-len(order) // LENGTH_GROUPS)
    for start in range(0, len(order), size):
        group = order[start : start + size]
        spelled = [words[i] for i in group]
        logits = recognizer.teach(features[group], spelled, stage.permutations, random, with_cross)
        targets = logits.targets.flatten()
        for name, branch in logits.branches.items():
            loss = F.cross_entropy(branch.float().flatten(0, 2), targets, reduction="sum")
            sums[name] = sums[name] + loss if name in sums else loss
        count += int((targets != IGNORED).sum())
    return {name: stage.weights.plm * total / count for name, total in sums.items()}


def joint_loss(
    model: SceneTextModel, batch: Batch, stage: StageConfig, random: np.random.Generator
) -> dict[str, Tensor]:
    """Return the weighted terms of the loss for ``batch``; their sum is minimised.

    Terms whose weight is 0 are not computed, nor are those of regions when the batch has none. A stage with
    a contrastive term has no other: it pretrains the two towers of the prompts.

    Args:
        model: in training mode.
        batch: on the model's device.
        stage: holds the weight of each term.
        random: draws the pseudo-words.

    Raises:
        UsageError: the contrastive term is on, and the model has no text tower.
    """
    weights = stage.weights
    if weights.contrastive:
        return {"contrastive": weights.contrastive * _contrastive_loss(model, batch)} if batch.words else {}
    features = model.features(batch.images)
    levels = features.levels
    losses: dict[str, Tensor] = {}
    if weights.probability or weights.close_ups:
        maps = model.detect(levels)
        if weights.probability:
            losses |= _detection_losses(model, maps, batch, weights)
        if batch.close_ups is not None and weights.close_ups:
            close_ups = close_up_loss(model.map_close_ups(levels, maps), batch.close_ups)
            losses["close_ups"] = weights.close_ups * close_ups
    if features.text_map is not None and weights.matching:
        losses["matching"] = weights.matching * matching_loss(features.text_map, batch.detection)
    if batch.words and (weights.similarity or weights.ctc):
        readings = _read_padded(model, levels, batch)
        if weights.ctc:
            charset = Charset(model.config.embedder.characters)
            classes = [charset.encode(word) for word in batch.words]
            losses["ctc"] = weights.ctc * ctc_loss(readings.logits, classes)
        if weights.similarity:
            losses |= _similarity_losses(model, readings.embeddings.float(), batch.words, stage, random)
    return losses


def _contrastive_loss(model: SceneTextModel, batch: Batch) -> Tensor:
    """Match pictures of words with their strings, as oCLIP does (Xue et al. 2022).

    A picture matches every string in it, and every picture of a string.
    """
    if model.matcher is None or not isinstance(model.matcher.prompt, TextPrompt):
        raise UsageError(f"{model.config.name} has no text tower to train: contrastive must be 0")
    encoder = model.matcher.prompt.encoder
    _, pooled = model.backbone.embed(model.stages(batch.images)[-1])
    tokens = tokenize(batch.words, encoder.config)
    length = min(pad_to_multiple(tokens.shape[1], PADDING), encoder.config.context_length)
    tokens = F.pad(tokens, (0, length - tokens.shape[1]))
    texts = encoder(tokens.to(pooled.device))
    strings = np.array(batch.words)
    equal = torch.from_numpy(strings[:, None] == strings).to(pooled.device)
    same = equal | (batch.owner[:, None] == batch.owner)
    return contrastive_loss(pooled[batch.owner], texts, same, model.matcher.temperature)


def _read_padded(model: SceneTextModel, levels: list[Tensor], batch: Batch) -> RegionReadings:
    count = len(batch.words)
    index = pad_indices(count, PADDING, batch.owner.device)
    readings = model.read_regions(levels, batch.edges[index], batch.owner[index])
    return RegionReadings(readings.embeddings[:count], readings.logits[:count])


def _similarity_losses(
    model: SceneTextModel, regions: Tensor, labels: list[str], stage: StageConfig, random: np.random.Generator
) -> dict[str, Tensor]:
    """Return the three similarity terms (TDSL, section 3.3): word-image, word-word, image-image."""
    strings = sorted(set(labels))
    strings += [misspell(word, random) for word in strings]
    charset = Charset(model.config.embedder.characters)
    classes = [charset.encode(word) for word in strings]
    padding = [[1]] * (pad_to_multiple(len(classes), PADDING) - len(classes))
    words = model.embed_words(classes + padding)[: len(classes)].float()
    pairs = {
        # Words are detached where they meet images: strings set the space, photographs follow (PSTR's
        # released training code).
        "similarity_wi": (words.detach(), regions, strings, labels),
        "similarity_ww": (words, words, strings, strings),
        "similarity_ii": (regions, regions, labels, labels),
    }
    losses = {}
    for name, (left, right, rows, columns) in pairs.items():
        target = edit_similarities(rows, columns).to(left.device)
        losses[name] = stage.weights.similarity * similarity_loss(left, right, target, stage.hardest)
    return losses


def _detection_losses(
    model: SceneTextModel, maps: DetectionMaps, batch: Batch, weights: LossWeights
) -> dict[str, Tensor]:
    if maps.threshold is None:
        raise ValueError("detection losses need a model in training mode")
    targets, logits = batch.detection, maps.probability.float()
    binary = binary_map(maps, model.config.detector.amplification)
    kernel_losses = balanced_bce(logits, targets.kernel, targets.care) + dice_loss(
        logits.sigmoid(), targets.kernel, targets.care
    )
    return {
        "probability": weights.probability * kernel_losses / 2,
        "threshold": weights.threshold * threshold_loss(maps.threshold, targets),
        "binary": weights.binary * dice_loss(binary, targets.kernel, targets.care),
    }
