"""What the last indexing run saw of its folder beside photographs, for ``status`` and for the next run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class FolderState:
    """What the last indexing run of a gallery saw.

    Attributes:
        passed_over: how many files are no photographs, by ending ("": none), links and special files.
        devices: numbers of the devices of the folder, "", and of those that begin below it, by their folders.
        unfinished: how many files a run that did not come to its end had found; 0: it did.
    """

    passed_over: Mapping[str, int] = field(default_factory=dict)
    devices: Mapping[str, int] = field(default_factory=dict)
    unfinished: int = 0

    def to_json(self) -> str:
        """Return the text that ``from_json`` reads."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> FolderState:
        """Return what ``to_json`` wrote.

        Raises:
            ValueError: it wrote nothing such.
        """
        try:
            state = cls(**json.loads(text))
            numbers = [*state.passed_over.values(), *state.devices.values(), state.unfinished]
        except (TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"its record of the last run is none: {error}") from error
        if not all(isinstance(number, int) for number in numbers):
            raise ValueError("its record of the last run holds something else than numbers")
        return state
