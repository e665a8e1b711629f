"""What a shell offers for the values of options, after stsearch --install-completion."""

from __future__ import annotations

from collections.abc import Iterable


def weights(incomplete: str) -> list[str]:
    """Return the shipped weights whose names begin so."""
    from stsearch.weights.card import available

    return _beginning(available(), incomplete)


def folders(incomplete: str) -> list[str]:
    """Return the folders whose paths begin so."""
    from pathlib import Path

    start = Path(incomplete)
    inside = start if incomplete.endswith("/") or not incomplete else start.parent
    try:
        return _beginning((f"{each}/" for each in inside.iterdir() if each.is_dir()), incomplete)
    except OSError:
        return []


def datasets(incomplete: str) -> list[str]:
    """Return the benchmarks whose names begin so."""
    from stsearch.cli.eval_words import STR, WORDS
    from stsearch.evaluation.catalogue import BENCHMARKS

    return _beginning([*BENCHMARKS, WORDS, STR], incomplete)


def presets(incomplete: str) -> list[str]:
    """Return the networks that can be trained whose names begin so."""
    from stsearch.training.presets import PRESETS

    return _beginning(PRESETS, incomplete)


def stages(incomplete: str) -> list[str]:
    """Return the stages of training whose names begin so, and the name for all of them."""
    from stsearch.training.presets import PRESETS

    names = dict.fromkeys(stage.name for preset in PRESETS.values() for stage in preset.stages)
    return _beginning([*names, "all"], incomplete)


def baselines(incomplete: str) -> list[str]:
    """Return the OCR engines to compare with whose names begin so."""
    from stsearch.evaluation.baselines import BASELINES

    return _beginning(BASELINES, incomplete)


def _beginning(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))
