"""Published results on the benchmarks, in percent, to compare with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Published:
    """One figure of a paper.

    Attributes:
        method: with its year where it is known.
        figure: in percent.
        speed: photographs a second with the hardware, as reported; empty when it is not.
        remark: on how it came about.
    """

    method: str
    figure: float
    speed: str = ""
    remark: str = ""


RETRIEVAL_SOURCE = (
    "mAP as the table of MSTAR (2025) reports it; for Total-Text, CTW1500 and ICDAR 2015 by MSTAR's query"
    " rule. Speeds of MSTAR are of one A800, the others of the hardware of their own papers: do not compare"
    " them"
)
DETECTION_SOURCE = (
    "F-measure as the authors report it; their matching may differ from one to one at IoU > 0.5"
)
RECOGNITION_SOURCE = "word accuracy in 36 characters, as the authors report it"

_TUNED = "tuned on the training split of the set"
_OWN, _A800 = "as its paper reports", "A800"
_SETS = ("svt", "iiit-str", "ctr", "total-text-mstar", "ctw1500", "icdar15-mstar")
_TUNED_SETS = _SETS[3:]  # where spotters are tuned

# method, photographs a second and where, figures in the order of _SETS (0: none), tuned on _TUNED_SETS
_RETRIEVAL: Sequence[tuple[str, float, str, Sequence[float], bool]] = (
    ("Mishra et al. 2013", 0.1, _OWN, (42.70, 56.24, 0, 0, 0, 0), False),
    ("Jaderberg et al. 2016", 0.3, _OWN, (86.30, 66.50, 0, 0, 0, 0), False),
    ("Gomez et al. 2018 (YOLO-PHOC)", 43.5, _OWN, (83.74, 69.83, 41.05, 0, 0, 0), False),
    ("Mafla et al. 2021", 42.2, _OWN, (85.74, 71.67, 0, 0, 0, 0), False),
    ("TDSL 2021", 12.0, _OWN, (89.38, 77.09, 66.45, 74.75, 59.34, 77.67), False),
    ("VSTR 2023", 11.0, _OWN, (90.95, 77.40, 0, 80.09, 0, 0), False),
    ("PSTR 2024", 9.3, _OWN, (0, 81.02, 72.95, 0, 0, 0), False),
    ("FDP-RN50x16 2024", 11.8, _OWN, (89.63, 89.46, 0, 79.18, 0, 0), False),
    ("BLIP-2, fine-tuned", 37.2, _OWN, (88.73, 85.40, 45.75, 77.20, 82.33, 55.13), False),
    ("MSTAR 2025", 14.2, _A800, (91.31, 86.25, 60.13, 85.55, 90.87, 81.21), False),
    ("MSTAR 2025 with re-ranking", 6.9, _A800, (91.11, 86.14, 65.25, 86.96, 92.95, 82.69), False),
    ("ABCNet + edit distance", 17.5, _OWN, (82.43, 67.25, 41.25, 73.23, 74.82, 69.28), False),
    ("Mask TextSpotter v3 + edit distance", 2.4, _OWN, (83.14, 74.48, 55.54, 83.29, 80.03, 77.00), False),
    ("DeepSolo + edit distance", 10.0, _OWN, (87.15, 76.58, 67.22, 83.19, 87.67, 82.80), True),
    ("TG-Bridge + edit distance", 6.7, _OWN, (87.23, 81.30, 70.08, 87.11, 88.39, 83.55), True),
    ("SPTSv2 + edit distance", 7.6, _OWN, (78.08, 62.11, 48.39, 73.61, 83.30, 66.27), True),
)
_CAYN = "38.79, GTX 1080 Ti"
_MORE: Mapping[str, Sequence[Published]] = {
    "svt": (Published("CAYN 2025", 92.46, _CAYN, "CVPR 2025 page"),),
    "iiit-str": (
        Published("CAYN 2025", 89.49, _CAYN, "CVPR 2025 page"),
        Published("TDSL, released weights run by a user", 72.89, "", "STR-TDSL issue 7"),
    ),
    "fdp-phrases": (
        Published("BLIP-2", 85.49),
        Published("TDSL 2021", 89.40),
        Published("SigLIP", 89.56),
        Published("FDP 2024", 92.28),
        Published("MSTAR 2025", 95.71),
    ),
}
_DETECTION: Mapping[str, Sequence[Published]] = {
    "td500": (Published("TCM-DBNet", 88.8),),
    "icdar15": (
        Published("DBNet, ResNet-50", 85.04, "", "MMOCR"),
        Published("TCM-DBNet", 88.8),
        Published("TG-Bridge", 90.5),
    ),
    "ctw1500": (Published("TCM-DBNet", 85.1), Published("DG-Bridge", 89.0)),
    "total-text": (
        Published("TCM-DBNet", 85.9),
        Published("FAST-B-800", 87.5),
        Published("DG-Bridge", 89.2),
        Published("MixNet", 90.5),
    ),
}
_WORDS = ("IIIT5k", "SVT", "IC13_1015", "IC15_1811", "IC15_2077", "SVTP", "CUTE80", "COCOv1.4", "ArT", "Uber")
_RECOGNITION: Mapping[str, Sequence[float]] = {  # in the order of _WORDS, 0: none
    "CLIP4STR-B, MJ+ST": (97.70, 95.36, 96.06, 87.47, 84.02, 91.47, 94.44, 66.69, 72.82, 43.52),
    "CLIP4STR-L, MJ+ST": (97.57, 95.36, 96.75, 88.02, 84.40, 91.78, 94.44, 67.45, 73.48, 44.59),
    "CLIP4STR-B, 3.3 M real": (99.20, 98.30, 98.23, 91.44, 90.61, 96.90, 99.65, 80.80, 85.74, 86.70),
    "CLIP4STR-L, 3.3 M real": (99.43, 98.15, 98.52, 91.66, 91.14, 97.36, 98.96, 81.97, 85.83, 87.36),
    "PARSeq-S, real": (99.00, 97.84, 98.13, 0, 89.22, 96.90, 98.61, 0, 0, 0),
}


def published_retrieval(benchmark: str) -> list[Published]:
    """Return the mAP of papers on a benchmark, worst first; none where the rule is not theirs."""
    return sorted([*_table(benchmark), *_MORE.get(benchmark, ())], key=lambda each: each.figure)


def published_detection(benchmark: str) -> Sequence[Published]:
    """Return the F-measures of papers on the photographs of a benchmark, whatever its query rule."""
    return next((rows for name, rows in _DETECTION.items() if f"{benchmark}-".startswith(f"{name}-")), ())


def published_recognition(word_set: str) -> list[Published]:
    """Return the word accuracies of papers on a test set of word crops."""
    if word_set not in _WORDS:
        return []
    figures = {method: row[_WORDS.index(word_set)] for method, row in _RECOGNITION.items()}
    return [Published(method, figure) for method, figure in figures.items() if figure]


def _table(benchmark: str) -> Iterator[Published]:
    if benchmark not in _SETS:
        return
    for method, speed, where, figures, tuned in _RETRIEVAL:
        figure = figures[_SETS.index(benchmark)]
        if figure:
            remark = _TUNED if tuned and benchmark in _TUNED_SETS else ""
            yield Published(method, figure, f"{speed:g}, {where}", remark)
