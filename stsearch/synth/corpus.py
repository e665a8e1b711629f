"""The words that are rendered: dictionary words, numbers, names, codes and random strings."""

from __future__ import annotations

import string
from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

# Word frequency is tempered by this power: "the" then is 1.1 % of the frequency-drawn words instead of 6 %.
FREQUENCY_POWER = 0.7

_COMMON_WORDS = """
the and for you are not with this that from have all new our your one more open closed exit entry entrance
push pull stop slow caution danger warning notice please keep clear private property parking park no smoking
street road avenue lane square bridge station airport terminal platform gate ticket office police fire
hospital school college university library museum theatre cinema hotel hostel restaurant cafe coffee tea bar
bakery bread butcher fish market fruit fresh juice milk water wine beer pizza pasta burger chicken rice
noodle soup salad sandwich breakfast lunch dinner menu special offer sale discount half price free gift shop
store fashion shoes clothing jewellery watch optical pharmacy chemist dental clinic health beauty hair salon
barber spa fitness gym yoga dance music guitar piano radio phone mobile repair computer camera photo print
copy books paper pens cards toys games sports bike cycle motor garage tyres petrol diesel wash service
centre center north south east west upper lower left right front back city town village county state
national world international central royal grand golden silver blue green red black white orange yellow
summer winter spring autumn monday tuesday wednesday thursday friday saturday sunday january february march
april june july august september october november december today daily weekly hours time minutes day night
morning evening bank post money change cash credit insurance estate agents lawyer solicitors tailor laundry
cleaners furniture kitchen bathroom garden flowers pets animal farm country river lake ocean beach island
mountain forest sun moon star king queen prince lion eagle bear wolf horse swan crown castle church temple
house home family kids baby ladies gentlemen toilet elevator stairs floor level room suite hall tower plaza
mall arcade gallery studio design art craft antique vintage modern classic original quality best first super
mega mini express direct limited company brothers sons group holdings industries engineering construction
building tools hardware paint glass steel electric power energy gas light sound video film news times post
guide map tour travel flight train bus tram taxi ferry boat ship delivery cargo express emergency assembly
point first aid extinguisher alarm hose high voltage authorised personnel only beyond restricted area
visitors reception information help desk customer support contact call email website order online booking
reservation welcome thank goodbye hello happy birthday merry christmas festival concert show live stage
season championship temporary extraordinary refrigerated communications neighbourhood administration
entertainment
"""
BUILTIN_WORDS: tuple[str, ...] = tuple(_COMMON_WORDS.split())

# Relative frequencies of lengths (SynthTIGER, ICDAR 2021, section 3.2 idea): natural text has few long words.
_LENGTH_WEIGHTS = np.array(
    [0, 3, 5, 9, 10, 10, 10, 9, 9, 8, 7, 5, 4, 3, 2.5, 2, 1.5, 1.2, 1, 0.8, 0.7, 0.5, 0.4, 0.3, 0.2, 0.2],
    np.float64,
)
_CUMULATIVE_LENGTHS = np.cumsum(_LENGTH_WEIGHTS / _LENGTH_WEIGHTS.sum())

_ACCENTS = {
    "a": "áàâäãå",
    "c": "ç",
    "e": "éèêë",
    "i": "íìîï",
    "n": "ñ",
    "o": "óòôöõø",
    "u": "úùûü",
    "y": "ýÿ",
}
_ONSETS = (
    "b c d f g h j k l m n p r s t v w x y z br ch cl cr dr fl gl gr kh kr pl pr qu sc sh sk sl sp st th tr"
)
_VOWELS = "a e i o u a e i o y ai au ea ee ei ia io oo ou"
_CODAS = "_ _ _ _ l m n r s t x k ck ll nd ng nt rt ss st th z"  # _ stands for nothing
_ENDINGS = "_ _ _ _ _ a o i ex ix ia co ton berg son ville mart tech z"
_DOMAINS = "com net org co.uk de fr it es eu io com.sg edu gov info biz"
# Prices, dates, times, telephone numbers, plates and codes: "#" is any digit, "@" any capital.
_NUMBERS = """
# # ## ## ### ### #### #### ##### ###### ####### 19## 19## 20## 20## 18## ##0 #00 #,### ##,### ###,###
$# $## $#.99 $##.## $###.## S$#.## £#.## £##.50 £## ¥### ¥#,### Rs.### #.## ##.## ##.95 #/- ##% ##% ##.#%
#:## ##:## ##:## ##.## ##h## #am ##pm #AM ##PM ##:##:##
##/##/#### ##/##/## ##.##.#### ##-##-## 20##-##-## #/##
###-#### ###-###-#### (###) +##-###-#### 1-800-###-#### 0##-####### ##########
#### ######## ##.##.##.##.## +##########
@### @@## @@#### @@##@@@ @@@### @#@#@# @#### @@@-#### @@-##-@@ #@@### S@@####@ @# #@ ##@ @-## #-@ @/## @###-##
#kg #g ##g ###ml ##cl #l ##km ##m ###cm ##mm #GB
##MB ##W ###V ##Hz ##mph ##km/h #lb ##oz #ft #x x# #th 1st 2nd 3rd
#-# ##-## ##/## #+# #x# ##x## #-## #### No.# No.## B#-## L#-## ##-##-## #### ##A ##B
"""
# Punctuation before and after a word ("_"); every pair is as likely as any other.
_PUNCTUATION = "_. _, _! _? _: _; \"_\" '_' (_) #_ _... _'s @_ *_ _- -_ _® &_ +_ _/"
# Digits and rare letters are raised, as SynthTIGER does: a dictionary lacks what an index is asked for.
_RANDOM_CHARACTERS = string.ascii_letters + string.digits * 3 + "JQXZVKWYjqxzvkwy"


class Corpus:
    """Draws the words that are rendered; every draw uses the generator that is passed in."""

    def __init__(self, words: Sequence[str], weights: NDArray[np.float64]) -> None:
        """Group ``words`` by length; ``weights`` (N,) are their relative frequencies of use."""
        self._words = tuple(words)
        self._cumulative_weights = np.cumsum(weights / weights.sum())
        self._by_length: dict[int, list[str]] = {}
        for word in self._words:
            self._by_length.setdefault(len(word), []).append(word)

    def word(self, rng: Generator) -> str:
        """Return one string without white space, 1 to 25 characters, cased as it is to be drawn."""
        kind = rng.random()
        if kind < 0.62:
            text = _change_case(self._sample_by_frequency(rng), rng)
        elif kind < 0.74:
            text = _change_case(self._sample_by_length(rng), rng)
        elif kind < 0.82:
            text = _change_case(_invent_name(rng), rng)
        elif kind < 0.92:
            text = _fill_number_pattern(rng)
        elif kind < 0.98:
            text = _sample_characters(rng)
        else:
            text = self._compose_address(rng)
        if kind < 0.82:
            text = _add_accent_or_punctuation(text, rng)
        return text[:25]

    def line(self, rng: Generator, count: int) -> list[str]:
        """Return ``count`` words sharing one casing, as the words of a sign do."""
        words = [self.word(rng) for _ in range(count)]
        style = rng.random()
        if style < 0.35:
            return [word.upper() for word in words]
        if style < 0.5:
            return [word[:1].upper() + word[1:].lower() for word in words]
        if style < 0.62:
            return [word.lower() for word in words]
        return words

    def _sample_by_frequency(self, rng: Generator) -> str:
        return self._words[
            min(int(np.searchsorted(self._cumulative_weights, rng.random())), len(self._words) - 1)
        ]

    def _sample_by_length(self, rng: Generator) -> str:
        length = int(np.searchsorted(_CUMULATIVE_LENGTHS, rng.random()))
        group = self._by_length.get(length)
        if group and (length <= 14 or rng.random() < 0.5):
            return group[int(rng.integers(len(group)))]
        text = self._sample_by_frequency(rng)
        joint = _pick(rng, ["-", "-", "", "", "/", "&", "'"])
        while len(text) < length:
            text += joint + self._sample_by_frequency(rng)
        return text[:length].rstrip("-/&'") or text[:1]

    def _compose_address(self, rng: Generator) -> str:
        stem = self._sample_by_frequency(rng) if rng.random() < 0.5 else _invent_name(rng)
        stem = stem.lower().replace("'", "")
        domain = _pick_token(rng, _DOMAINS)
        kind = rng.random()
        if kind < 0.5:
            return f"www.{stem}.{domain}"
        if kind < 0.7:
            return f"{stem}.{domain}"
        if kind < 0.9:
            return f"{_pick(rng, ['info', 'sales', 'hello', 'shop', _invent_name(rng)])}@{stem}.{domain}"
        return f"{_pick(rng, ['/', '@', '#'])}{stem}"


def _pick(rng: Generator, options: Sequence[str]) -> str:
    return options[int(rng.integers(len(options)))]


def _pick_token(rng: Generator, tokens: str) -> str:
    return _pick(rng, tokens.split())


def _invent_syllable(rng: Generator) -> str:
    return _pick_token(rng, _ONSETS) + _pick_token(rng, _VOWELS) + _pick_token(rng, _CODAS).strip("_")


def _change_case(text: str, rng: Generator) -> str:
    case = rng.random()
    if case < 0.35:
        return text[:1].upper() + text[1:]
    if case < 0.70:
        return text.upper()
    if case < 0.95:
        return text
    return "".join(
        c.upper() if up else c.lower() for c, up in zip(text, rng.random(len(text)) < 0.5, strict=True)
    )


def _add_accent_or_punctuation(text: str, rng: Generator) -> str:
    """Add an accent or punctuation to a few words."""
    chance = rng.random()
    if chance < 0.05:
        places = [i for i, c in enumerate(text) if c.lower() in _ACCENTS]
        if places:
            i = places[int(rng.integers(len(places)))]
            accented = _pick(rng, _ACCENTS[text[i].lower()])
            if text[i].isupper() and len(accented.upper()) == 1:
                accented = accented.upper()
            return text[:i] + accented + text[i + 1 :]
    elif chance < 0.15:
        return _pick_token(rng, _PUNCTUATION).replace("_", text)
    return text


def _invent_name(rng: Generator) -> str:
    """Return an invented brand, place or family name made of syllables."""
    syllables = 1 + int(rng.random() * 2.4)
    text = "".join(_invent_syllable(rng) for _ in range(syllables))
    text += _pick_token(rng, _ENDINGS).strip("_")
    chance = rng.random()
    if chance < 0.04:
        return f"{_pick(rng, ['Mc', 'Mac', 'O', 'De', 'Le'])}{text.capitalize()}"
    if chance < 0.07:
        return f"{text}{rng.integers(1, 100)}"
    return text


def _fill_number_pattern(rng: Generator) -> str:
    """Return a price, date, time, telephone number, plate or code after a random pattern."""
    pattern = _pick_token(rng, _NUMBERS)
    return "".join(
        _pick(rng, string.digits) if c == "#" else _pick(rng, string.ascii_uppercase) if c == "@" else c
        for c in pattern
    )


def _sample_characters(rng: Generator) -> str:
    length = min(int(np.searchsorted(_CUMULATIVE_LENGTHS, rng.random())), 14)
    pool = _RANDOM_CHARACTERS
    case = rng.random()
    if case < 0.45:
        pool = pool.upper()
    elif case < 0.7:
        pool = pool.lower()
    elif case < 0.75:
        pool += "-./&!?#+:%"
    return "".join(pool[i] for i in rng.integers(0, len(pool), max(length, 1)))
