"""FastTCM: language knowledge for the detector, as a map of where an image agrees with "text"."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stsearch.config import PromptConfig
from stsearch.errors import UsageError
from stsearch.models.text_encoder import ClipTextEncoder, tokenize


class LanguagePrompt(nn.Module):
    """Map a query to one vector that is added to every token of the prompt (TCM, section 3.3)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(inputs),
            nn.Linear(inputs, outputs),
            nn.ReLU(),
            nn.LayerNorm(outputs),
            nn.Linear(outputs, outputs),
        )

    def forward(self, query: Tensor) -> Tensor:
        """Return (N, W) conditional cues for (N, D) queries."""
        cue: Tensor = self.layers(query)
        return cue


class TextPrompt(nn.Module):
    """A prompt such as "text", with learned context, through the text tower (FastTCM, section 3.2).

    Its query is the image's pooled embedding (TCM) or a learned vector, the meta query (FastTCM): then the
    embedding is the same for every image and can be computed once and for all. Several phrases share tower,
    context and query.
    """

    def __init__(self, config: PromptConfig, dim: int, phrases: Sequence[str] = ()) -> None:
        """Take the ``phrases``; without any, that of ``config`` is the only one."""
        super().__init__()
        self.encoder = ClipTextEncoder(config.text, dim)
        width = config.text.width
        self.context = nn.Parameter(torch.randn(config.context_vectors, width) * 0.02)
        self.generator = LanguagePrompt(dim, width) if config.query != "none" else None
        self.meta_query = nn.Parameter(torch.randn(1, dim)) if config.query == "meta" else None
        tokens = tokenize(list(phrases) or [config.phrase], config.text)
        self.register_buffer("tokens", tokens, persistent=False)

    def forward(self, pooled: Tensor) -> Tensor:
        """Return (N, D) for N phrases; (B, D) for one, conditioned on the images' (B, D) ``pooled``."""
        query = pooled if self.meta_query is None else self.meta_query
        tokens = self.get_buffer("tokens")
        words = self.encoder.embed_tokens(tokens)
        context = self.context.to(words.dtype).expand(len(words), -1, -1)
        embedded = torch.cat([words[:, :1], context, words[:, 1:]], dim=1)
        if self.generator is not None:
            embedded = embedded + self.generator(query)[:, None]
        last = tokens.argmax(dim=1) + len(self.context)
        return self.encoder.encode_soft(embedded, last.expand(len(embedded)))


class FrozenPrompt(nn.Module):
    """The embedding of prompts that do not depend on the image, without their text tower."""

    def __init__(self, dim: int, phrases: int = 1) -> None:
        super().__init__()
        self.register_buffer("embedding", torch.zeros((phrases, dim) if phrases > 1 else dim))

    def forward(self, pooled: Tensor) -> Tensor:
        """Return (N, D)."""
        embedding = self.get_buffer("embedding")
        return embedding.view(-1, embedding.shape[-1])


class VisualPrompt(nn.Module):
    """Cross-attention from every cell of the image to the text embedding, gated (TCM, section 3.4).

    With one prompt there is one key, so cross-attention adds the same vector everywhere; self-attention
    among the cells makes it differ.
    """

    def __init__(self, config: PromptConfig, dim: int) -> None:
        super().__init__()
        width = config.visual_width
        self.to_query, self.to_memory = nn.Linear(dim, width), nn.Linear(dim, width)
        self.decoder = nn.TransformerDecoder(
            nn.TransformerDecoderLayer(
                width, config.visual_heads, 4 * width, config.dropout, batch_first=True, norm_first=True
            ),
            config.visual_layers,
        )
        self.to_dense = nn.Linear(width, dim)
        self.gate = nn.Parameter(torch.full((dim,), 1e-3))

    def forward(self, dense: Tensor, text: Tensor) -> Tensor:
        """Return (B, D, h, w): the dense embedding I + gate * decoder(I, t^)."""
        cells = self.to_query(dense.flatten(2).transpose(1, 2))
        update = self.to_dense(self.decoder(cells, self.to_memory(text.to(cells.dtype))[:, None]))
        change: Tensor = (self.gate * update).transpose(1, 2)
        return dense + change.view_as(dense)


class LanguageMatcher(nn.Module):
    """Instance-language matching: where the image agrees with the prompt (FastTCM, section 3.5)."""

    def __init__(self, config: PromptConfig, prompt: TextPrompt | FrozenPrompt, dim: int) -> None:
        super().__init__()
        self.temperature = config.temperature
        self.bimodal = config.bimodal
        self.prompt = prompt
        self.visual_prompt = VisualPrompt(config, dim) if config.visual_layers else None

    def forward(self, dense: Tensor, pooled: Tensor) -> Tensor:
        """Return the (B, h, w) logits that a cell holds text.

        Args:
            dense: (B, D, h, w) dense image embedding I.
            pooled: (B, D) pooled image embedding.
        """
        text = self.prompt(pooled)
        if self.bimodal:
            text = match_bimodally(pooled, text)
        text = text.expand(len(dense), -1)
        if self.visual_prompt is not None:
            dense = self.visual_prompt(dense, text)
        return match_cells(dense, text[:, None], self.temperature)[:, 0]


def match_cells(dense: Tensor, texts: Tensor, temperature: float) -> Tensor:
    """Return (B, N, h, w): cosines of the cells of (B, D, h, w) and (1 or B, N, D) texts, / temperature."""
    units, cells = F.normalize(texts.float(), dim=2), F.normalize(dense.float(), dim=1)
    # Products and sums, not a matrix product: autocast would make that one half precision.
    cosines = [(cells * units[:, index, :, None, None]).sum(dim=1) for index in range(units.shape[1])]
    return torch.stack(cosines, dim=1) / temperature


def match_bimodally(pooled: Tensor, text: Tensor) -> Tensor:
    """Return t^ = sim(i, t) i + t, (B, D), of unit vectors: conditioned on the image by one product.

    Source: FastTCM, bimodal similarity matching. The projection of i that the released code has between is
    left out: its sizes do not fit.
    """
    image, text = F.normalize(pooled.float(), dim=-1), F.normalize(text.float(), dim=-1)
    return (image * text).sum(dim=-1, keepdim=True) * image + text


def build_matcher(config: PromptConfig, dim: int) -> LanguageMatcher:
    """Build the matcher of ``config`` with random weights; ``dim`` is D of the image tower.

    Raises:
        UsageError: a name in ``config`` is unknown, or the prompt is longer than the text tower's context.
    """
    check_prompts(config, [config.phrase])
    prompt = FrozenPrompt(dim) if config.frozen else TextPrompt(config, dim)
    return LanguageMatcher(config, prompt, dim)


def check_prompts(config: PromptConfig, phrases: Sequence[str]) -> None:
    """Check names and lengths.

    Raises:
        UsageError: as :func:`build_matcher` does.
    """
    for name, value, known in (
        ("query", config.query, ("meta", "image", "none")),
        ("text.tokenizer", config.text.tokenizer, ("bytes", "clip")),
    ):
        if value not in known:
            raise UsageError(f"prompts.{name} is {value!r}; choose from {', '.join(known)}")
    length = tokenize(phrases, config.text).shape[1] + config.context_vectors
    if length > config.text.context_length:
        raise UsageError(
            f"the prompt has {length} tokens with its {config.context_vectors} context_vectors, and "
            f"prompts.text.context_length is {config.text.context_length}: lower the one or raise the other"
        )


@torch.no_grad()
def freeze_prompt(prompt: TextPrompt | FrozenPrompt) -> FrozenPrompt:
    """Return the embedding of ``prompt`` without its text tower (FastTCM, section 3.6).

    Raises:
        ValueError: the prompt is conditioned on the image, so there is no one embedding to keep.
    """
    if isinstance(prompt, FrozenPrompt):
        return prompt
    if prompt.generator is not None and prompt.meta_query is None:
        raise ValueError("a prompt that is conditioned on the image cannot be frozen")
    weight = prompt.context
    dim = prompt.encoder.tower.text_projection.shape[1]
    embedding = prompt(weight.new_zeros(1, dim))
    frozen = FrozenPrompt(dim, len(embedding)).to(weight.device)
    frozen.get_buffer("embedding").copy_(embedding.squeeze(0))
    return frozen
