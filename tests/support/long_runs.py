"""How often tests marked ``long`` do what they do: as they say, or as ``TIMES`` in the environment says."""

from __future__ import annotations

import os


def times(usually: int) -> int:
    """Return how often to do it.

    >>> times(200)
    200
    """
    return int(os.environ.get("TIMES", usually))
