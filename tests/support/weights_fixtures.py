"""Cards of weights as a test wants them."""

from __future__ import annotations

import json
from pathlib import Path

from stsearch.weights.card import CHECKSUM, card_checksum


def change_card(folder: Path, **values: object) -> None:
    """Let the card in ``folder`` say ``values``, with the checksum of what it says then."""
    path = folder / "card.json"
    said = json.loads(path.read_text()) | values
    path.write_text(json.dumps(said | {CHECKSUM: card_checksum(said)}))
