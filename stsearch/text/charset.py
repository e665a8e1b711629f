"""Characters, their folding, and the edit similarity that every ranking target is built on."""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

ALPHANUMERIC = string.digits + string.ascii_lowercase
"""The 36 characters of the scene-text benchmarks, and of TDSL and its queries."""

PRINTABLE = string.digits + string.ascii_letters + string.punctuation
"""The 94 characters that CLIP4STR reads: printable ASCII without the space."""

# Letters that carry no combining mark, so Unicode decomposition leaves them whole.
_SPELLED_OUT = str.maketrans(
    {
        "ß": "ss",
        "æ": "ae",
        "Æ": "AE",
        "œ": "oe",
        "Œ": "OE",
        "ø": "o",
        "Ø": "O",
        "ł": "l",
        "Ł": "L",
        "đ": "d",
        "Đ": "D",
    }
)


def strip_accents(text: str) -> str:
    """Return ``text`` with accents removed and compatibility forms unified (NFKD).

    >>> strip_accents("Café № 5")
    'Cafe No 5'
    """
    decomposed = unicodedata.normalize("NFKD", text.translate(_SPELLED_OUT))
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def normalize(text: str) -> str:
    """Fold ``text`` to the 36 benchmark characters: accents and case folded, the rest dropped.

    >>> normalize("Café-24!")
    'cafe24'
    """
    return "".join(c for c in strip_accents(text).lower() if c in ALPHANUMERIC)


def split_words(text: str) -> list[str]:
    """Split ``text`` at white space and fold every word; words that fold to nothing are left out.

    >>> split_words("Open 24/7 & more")
    ['open', '247', 'more']
    """
    return [word for word in map(normalize, text.split()) if word]


def edit_similarity(a: str, b: str) -> float:
    """Return ``1 - edit_distance(a, b) / max(len(a), len(b))`` in [0, 1]; two empty strings are equal.

    Source: TDSL section 3.3 (the similarity label); MSTAR and PSTR rank transcripts by it.

    >>> edit_similarity("coffee", "cofee")
    0.8333333333333334
    """
    return float(Levenshtein.normalized_similarity(a, b))


@dataclass(frozen=True)
class Charset:
    """An ordered set of characters; index ``i`` in ``characters`` is class ``i + 1``; 0 is the CTC blank.

    The order is explicit because weights depend on it: it travels in the card.
    """

    characters: str = ALPHANUMERIC

    def __post_init__(self) -> None:
        if len(set(self.characters)) != len(self.characters):
            raise ValueError(f"charset holds a character twice: {self.characters!r}")

    def __len__(self) -> int:
        """Return the number of classes, the blank included."""
        return len(self.characters) + 1

    def encode(self, text: str) -> list[int]:
        """Return the classes of the characters of ``text``; characters outside the charset are left out.

        >>> Charset("abc").encode("cab!")
        [3, 1, 2]
        """
        classes = {c: i for i, c in enumerate(self.characters, start=1)}
        return [classes[c] for c in text if c in classes]

    def decode(self, classes: Sequence[int]) -> str:
        """Return the text of ``classes``, blanks left out, without collapsing repeats.

        >>> Charset("abc").decode([3, 0, 1, 2])
        'cab'
        """
        return "".join(self.characters[i - 1] for i in classes if i > 0)
