"""Characters, their folding, and the edit similarity that every ranking target is built on."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from rapidfuzz.distance import Levenshtein

ALPHANUMERIC = string.digits + string.ascii_lowercase
"""The 36 characters of the scene-text benchmarks, and of TDSL and its queries."""

PRINTABLE = string.digits + string.ascii_letters + string.punctuation
"""The 94 characters that CLIP4STR reads: printable ASCII without the space."""

# Latin letters whose Unicode names do not end in the letters that they are written with.
_SPELLED_OUT = {
    "AIN": "a",
    "ALEF": "a",
    "ALPHA": "a",
    "BETA": "b",
    "CHI": "x",
    "DELTA": "d",
    "CON": "con",
    "DEZH": "dz",
    "DUM": "dum",
    "ENG": "n",
    "ESH": "s",
    "ETH": "d",
    "EZH": "z",
    "FENG": "fn",
    "GAMMA": "g",
    "HENG": "h",
    "HETA": "h",
    "HORN": "o",
    "HWAIR": "hv",
    "IOTA": "i",
    "KRA": "q",
    "LAMBDA": "l",
    "LEZH": "lz",
    "LUM": "lum",
    "MUM": "mum",
    "NUM": "num",
    "OMEGA": "o",
    "PHI": "f",
    "RUM": "rum",
    "SCHWA": "e",
    "SHARP": "ss",
    "TESH": "ts",
    "THORN": "th",
    "TUM": "tum",
    "UPSILON": "u",
    "VEND": "v",
    "WYNN": "w",
    "YAT": "ia",
    "YOGH": "y",
}
_LATIN = re.compile(r"LATIN (?:.* )?(?:LETTER|LIGATURE) (.+)")
_QUALIFIED = re.compile(
    r" WITH\b| DIGRAPH"
)  # what follows changes the letter, or its name, but not its reading


def strip_accents(text: str) -> str:
    """Return ``text`` with accents removed, compatibility forms unified (NFKD) and Latin letters as a to z.

    >>> strip_accents("Café № 5"), strip_accents("Łódź"), strip_accents("Þórr")
    ('Cafe No 5', 'Lodz', 'THorr')
    """
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(map(_spell_out, (c for c in decomposed if not unicodedata.combining(c))))


@cache
def _spell_out(character: str) -> str:
    """Return what a Latin letter without a decomposition is written with in a to z; others as they are.

    A sign that is no letter of an alphabet, such as a click or a tone, is left out.
    """
    name = "" if character.isascii() else unicodedata.name(character, "")
    if not (latin := _LATIN.fullmatch(name)):
        return character
    words = _QUALIFIED.split(latin[1])[0].split()
    for word in words:  # "SHARP S" before "S"
        if word in _SPELLED_OUT:
            return _SPELLED_OUT[word].upper() if "CAPITAL" in name else _SPELLED_OUT[word]
    spelled = next((word for word in reversed(words) if len(word) <= 2), "")  # as in "AE", "R ROTUNDA"
    return spelled if "CAPITAL" in name else spelled.lower()


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
