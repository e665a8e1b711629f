"""What a shell offers for the values of options, after stsearch --install-completion."""

from __future__ import annotations


def weights(incomplete: str) -> list[str]:
    """Return the shipped weights whose names begin so."""
    from stsearch.weights.card import available

    return [name for name in available() if name.startswith(incomplete)]
