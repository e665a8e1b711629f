"""The card of weights as a person reads it: what they are, what they reach, what they cannot.

Training is free to fill parts of a card: what is not there, or is of another kind, is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from stsearch.cli import output

if TYPE_CHECKING:
    from stsearch.weights.card import Card

_NOT_KNOWN = "not known"


def card_lines(card: Card, size_bytes: int) -> Iterator[tuple[str, str]]:
    """Yield what ``card`` says, each line with its name.

    Args:
        card: of the weights.
        size_bytes: of all their files together.
    """
    yield "name", card.config.name
    yield "size", f"{card.parameters / 1e6:.1f} million parameters, {output.sized(size_bytes)}"
    yield "sha256", card.identity
    yield "reading", "with a recognizer" if card.recognizer_sha256 else "by the embedder alone, roughly"
    yield "on a CPU", f"{len(card.graphs)} exported graphs" if card.graphs else "PyTorch, no exported graphs"
    yield from _figures(at(card.metrics, "validation"))
    if accuracy := _percent(at(card.metrics, "words", "accuracy")):
        words, sets = at(card.metrics, "words", "words"), _names(at(card.metrics, "words", "sets"))
        yield "words", f"{accuracy} of {words} word crops read exactly ({sets})"
    for failure in card.known_failures:
        yield "weak at", str(failure)
    yield from _training(card.training)


def _figures(measured: Any) -> Iterator[tuple[str, str]]:  # Any: JSON
    retrieval = _percent(at(measured, "retrieval_map"))
    if not retrieval:
        yield "retrieval", "not measured: stsearch models measure WEIGHTS --val PHOTOGRAPHS"
        return
    photos, queries = at(measured, "photos"), at(measured, "queries")
    is_told = isinstance(photos, int) and isinstance(queries, int)
    on = f" on {photos} photographs ({_names(at(measured, 'sets'))}), {queries} queries" if is_told else ""
    yield "retrieval", f"mAP {retrieval}{on}"
    if hmean := _percent(at(measured, "hmean")):
        yield "detection", f"hmean {hmean}, likewise"


def _training(training: Any) -> Iterator[tuple[str, str]]:  # Any: JSON
    photographs = at(training, "photographs")
    if isinstance(photographs, dict) and photographs:
        yield "trained on", ", ".join(f"{name} ({count} photographs)" for name, count in photographs.items())
    stages = at(training, "stages")
    if isinstance(stages, dict) and stages:
        steps = {name: at(stage, "done") for name, stage in stages.items()}
        done = ", ".join(f"{name} {count:,}" for name, count in steps.items() if isinstance(count, int))
        yield "steps", f"{done or _NOT_KNOWN}; seed {at(training, 'seed')}"


def at(values: Any, *keys: str) -> Any:  # Any: JSON, in a part of the card that training is free to fill
    """Return what stands in ``values`` under ``keys``, one below the other; None where nothing does."""
    for key in keys:
        values = values.get(key) if isinstance(values, dict) else None
    return values


def _percent(share: Any) -> str:  # Any: JSON
    return f"{share:.1%}" if isinstance(share, int | float) else ""


def _names(names: Any) -> str:  # Any: JSON
    return ", ".join(map(str, names)) if isinstance(names, list) and names else _NOT_KNOWN
