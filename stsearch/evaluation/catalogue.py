"""Every benchmark by name. Where papers use several query rules for one set, each has a name of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from stsearch.datasets.gallery_lists import read_gallery, read_query_lists, read_svt
from stsearch.datasets.labelled_folder import read_dataset
from stsearch.datasets.layout import HouseLayout, Layout, Part
from stsearch.datasets.matlab_labels import read_iiit_queries, read_total_text_outlines
from stsearch.datasets.text_labels import (
    read_coco_text,
    read_ctw1500,
    read_icdar13,
    read_icdar15,
    read_lines,
    read_td500,
    read_total_text,
)
from stsearch.errors import UsageError
from stsearch.evaluation import query_rules as queries
from stsearch.evaluation.benchmark import Benchmark
from stsearch.evaluation.query_rules import LABELLED_WORDS, ListedRule, ListedWordRule, WordRule

FOLDER = "folder"

_ILLEGIBLE = "illegible words don't care"
_SPLIT = (
    "the words of more than 2 characters, in lower case and without . # ! & $, that are in the most"
    " photographs, {max_queries} of them (of equally frequent ones the first in the alphabet); a photograph"
    " is relevant when a transcript holds the word, by the rule of MSTAR"
)
_COUNTED = (
    "the words of {min_length} or more characters, letters and digits of a whole transcript in lower case,"
    " that are labelled {min_instances} times or more; a photograph is relevant when a transcript is the word"
)


def _part(what: str, *names: str) -> Part:
    return Part(what, names)


_ICDAR15 = Layout(
    (
        _part("labels", "Challenge4_Test_Task1_GT", "test_gts"),
        _part("photographs", "ch4_test_images", "test_images"),
    ),
    "https://rrc.cvc.uab.es/?ch=4&com=downloads (test images and task 4.1 labels; a free account)",
)
_TOTAL_TEXT_PHOTOS = _part("photographs", "Images/Test", "Dataset/Images/Test")
_TOTAL_TEXT_HOME = "https://github.com/cs-chan/Total-Text-Dataset"
_PHRASES = Layout(
    (
        _part("queries: {query: [file name, ...]}", "text_queries.json", "query_image_dict.npy"),
        _part("photographs", "images"),
    ),
    "https://github.com/Gyann-z/FDP (36 phrases) and https://github.com/yingift/MSTAR (MQTR)",
)


_TOTAL_TEXT_LABELS = "labels that are # don't care; words, outlined by polygons"

_ALL = (
    Benchmark(
        FOLDER,
        HouseLayout(),
        lambda parts: read_dataset(parts[0]),
        LABELLED_WORDS,
        _ILLEGIBLE,
        reads=True,
        joins=True,
    ),
    Benchmark(
        "svt",
        Layout(
            (_part("labels", "test.xml"), _part("photographs", "img", "test_images")),
            "http://vision.ucsd.edu/~kai/svt (Street View Text)",
        ),
        read_svt,
        WordRule(
            "every distinct tag of test.xml in lower case, short ones and those with punctuation too; a"
            " photograph is relevant when it carries the tag, by the rule of TDSL" + queries.ALL_WORDS,
            lambda tag: [tag.lower()],
        ),
        photos=249,
        asked=427,
    ),
    Benchmark(
        "iiit-str",
        Layout(
            (_part("queries", "data.mat"), _part("photographs", "imgDatabase")),
            "https://cvit.iiit.ac.in (IIIT Scene Text Retrieval, STR)",
        ),
        read_gallery,
        ListedRule(
            "the queries of data.mat in lower case, with the photographs it lists" + queries.ALL_WORDS,
            read_iiit_queries,
            queries.all_words,
        ),
        photos=10_000,
        asked=50,
    ),
    Benchmark(
        "ctr",
        Layout(
            (
                _part("queries", "queries.txt"),
                _part("words of each photograph", "gts"),
                _part("photographs", "images"),
            ),
            "https://github.com/lanfeng4659/STR-TDSL (cocotext_top500_retrieval, COCO-Text Retrieval)",
        ),
        read_coco_text,
        ListedWordRule(
            "the queries of queries.txt; a photograph is relevant when a line of its labels is the word, both"
            " in lower case, letters and digits only, by the rule of TDSL",
            lambda path: [word for line in read_lines(path) for word in queries.alphanumeric(line)],
            queries.alphanumeric,
        ),
        photos=7_196,
        asked=500,
    ),
    Benchmark(
        "total-text-mstar",
        Layout((_part("labels as text", "txt_format/Test"), _TOTAL_TEXT_PHOTOS), _TOTAL_TEXT_HOME),
        read_total_text,
        WordRule(_SPLIT, queries.mstar_words, min_length=3, max_queries=60),
        _TOTAL_TEXT_LABELS,
        reads=True,
        photos=300,
        asked=60,
    ),
    Benchmark(
        "total-text-pstr",
        Layout(
            (
                _part(
                    "labels for MATLAB",
                    "Groundtruth/Polygon/Test",
                    "Groundtruth2/Polygon/Test",
                    "Polygon/Test",
                ),
                _TOTAL_TEXT_PHOTOS,
            ),
            _TOTAL_TEXT_HOME,
        ),
        read_total_text_outlines,
        WordRule(_COUNTED + ", by the rule of PSTR", queries.alphanumeric, min_length=3, min_instances=4),
        _TOTAL_TEXT_LABELS,
        reads=True,
        photos=300,
    ),
    Benchmark(
        "ctw1500",
        Layout(
            (_part("labels", "gt_ctw1500"), _part("photographs", "test_images")),
            "https://github.com/Yuliang-Liu/Curve-Text-Detector (SCUT-CTW1500)",
        ),
        read_ctw1500,
        WordRule(_SPLIT, queries.mstar_words, min_length=3, max_queries=100),
        "labels that are # or ### don't care; text lines, outlined by polygons",
        photos=500,
        asked=100,
    ),
    Benchmark(
        "icdar15-mstar",
        _ICDAR15,
        read_icdar15,
        # The published code leaves out the word ALE after folding case: it leaves out nothing, and so do we.
        WordRule(
            _SPLIT + "; of a transcript with commas what follows the last one",
            lambda transcript: queries.mstar_words(queries.last_field(transcript)),
            min_length=3,
            max_queries=100,
        ),
        _ILLEGIBLE,
        reads=True,
        photos=500,
        asked=100,
    ),
    Benchmark(
        "icdar15-tdsl",
        _ICDAR15,
        read_icdar15,
        WordRule(
            _COUNTED + ", by the rule of TDSL; of a transcript with commas what follows the last one",
            lambda transcript: queries.alphanumeric(queries.last_field(transcript)),
            min_length=3,
            min_instances=5,
        ),
        _ILLEGIBLE,
        reads=True,
        photos=500,
    ),
    Benchmark(
        "fdp-phrases",
        _PHRASES,
        read_gallery,
        ListedRule(
            "the phrases of FDP with the photographs it lists" + queries.AS_PHRASE,
            read_query_lists,
            queries.phrase,
        ),
        photos=1_080,
        asked=36,
    ),
    Benchmark(
        "mqtr",
        _PHRASES,
        read_gallery,
        ListedRule(
            "the listed queries with the listed photographs, by the rule of MSTAR"
            + queries.AS_PHRASE
            + ", also where its words need not be neighbours, which the list does not mark",
            read_query_lists,
            queries.phrase,
        ),
    ),
    Benchmark(
        "icdar13",
        Layout(
            (
                _part("labels", "Challenge2_Test_Task1_GT"),
                _part("photographs", "Challenge2_Test_Task12_Images"),
            ),
            "https://rrc.cvc.uab.es/?ch=2&com=downloads (test images and task 2.1 labels; a free account)",
        ),
        read_icdar13,
        None,
        f"{_ILLEGIBLE}; IoU, not DetEval",
        reads=True,
        photos=233,
    ),
    Benchmark(
        "td500",
        Layout(
            (_part("photographs with their labels", "test"),),
            "http://www.iapr-tc11.org (MSRA Text Detection 500 Database)",
        ),
        read_td500,
        None,
        "difficult text lines don't care; text lines, outlined by turned boxes",
        photos=200,
    ),
)

BENCHMARKS: Mapping[str, Benchmark] = {benchmark.name: benchmark for benchmark in _ALL}
"""Every benchmark by the name that ``stsearch eval --dataset`` takes; ``folder``: one's own photographs."""


def with_min_length(benchmark: Benchmark, min_length: int) -> Benchmark:
    """Return a benchmark of labelled words whose queries have ``min_length`` or more characters."""
    return replace(benchmark, rule=replace(LABELLED_WORDS, min_length=min_length))


def find_benchmark(name: str, min_query_length: int | None = None, others: Sequence[str] = ()) -> Benchmark:
    """Return the benchmark called ``name``.

    Args:
        name: one of ``BENCHMARKS``.
        min_query_length: characters; shorter words are no queries. None: as the benchmark says.
        others: names that the caller knows beside these, for the message of the error.

    Raises:
        UsageError: there is none of that name, or what it asks is published and stays as it is.
    """
    if name not in BENCHMARKS:
        variants = [each for each in BENCHMARKS if each.startswith(f"{name}-")]
        if variants:
            raise UsageError(f"papers ask {name} in different ways; choose one of: {', '.join(variants)}")
        raise UsageError(f"no dataset {name!r}; choose one of: {', '.join(sorted([*BENCHMARKS, *others]))}")
    if min_query_length is None:
        return BENCHMARKS[name]
    if name != FOLDER:
        raise UsageError(f"the shortest query of {name} is published, and stays as it is")
    return with_min_length(BENCHMARKS[name], min_query_length)
