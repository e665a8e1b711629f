"""``stsearch search``: the options of the query language, many queries at once, and explanations."""

from __future__ import annotations

import io
import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gallery_fixtures import MODEL, Done, LetterEncoder, Run, make_set_gallery, set_in_lines

from stsearch.cli import app
from stsearch.gallery.gallery import Gallery
from stsearch.gallery.records import Spotted
from stsearch.search import scoring
from stsearch.text.charset import Charset
from stsearch.text.ctc import CLASSES, pack_posteriors

SIGNS = {
    "bar.jpg": ["BAR Roma"],
    "blank.jpg": [],
    "cafe.jpg": ["Coffee to go", "Starbucks"],
    "shop.jpg": ["Fresh Coffee", "open 24", "hours"],
}


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run ``stsearch search`` in this process, in a folder of photographs of text set in lines."""
    monkeypatch.setattr("stsearch.search.query_encoder.load_query_encoder", lambda _: LetterEncoder())
    monkeypatch.setattr("stsearch.weights.card.find_by_sha256", lambda sha256, name: name)
    make_set_gallery(tmp_path, SIGNS).close()
    for name in SIGNS:
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Done:
        code = app.run(app.app, ["search", *arguments])
        return Done(code, *capsys.readouterr())

    return call


def overlaid(path: str, *readings: str) -> Spotted:
    """Return a photograph of one word that was read in several ways, and of which nothing is sure."""
    photos = [set_in_lines(path, reading) for reading in readings]
    seen = pack_posteriors(np.zeros((1, 8, CLASSES), np.float32), Charset())[0]
    found = [replace(each, ctc_posteriors=seen) for photo in photos for each in photo.instances]
    return replace(photos[0], instances=found)


def names(output: str) -> list[str]:
    return [Path(line).name for line in output.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["coffee"], ["cafe.jpg", "shop.jpg"]),
        (["coffee -starbucks"], ["shop.jpg"]),
        (["--", "-starbucks coffee"], ["shop.jpg"]),
        (['"open 24 hours"'], ["shop.jpg"]),
        (["bar OR open"], ["bar.jpg", "shop.jpg"]),
        (["star*"], ["cafe.jpg"]),
        (["starbacks", "--fuzzy", "1"], ["cafe.jpg"]),
        (
            ["coffee", "--group", "photo", "--min-score", "0"],
            ["cafe.jpg", "shop.jpg", "bar.jpg", "blank.jpg"],
        ),
    ],
)
def test_a_query_and_its_options_find_photos(run: Run, arguments: list[str], found: list[str]) -> None:
    done = run("-l", *arguments)
    assert (done.code, names(done.out)) == (0, found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["starbacks", "--exact"], "Starbucks, 1 letter differs: ", id="nearest"),
        pytest.param(["starbacks", "--exact"], "without --exact, --fuzzy", id="limits"),
        pytest.param(["starb", "--exact"], "Starbucks begins so: stsearch search 'starb*'", id="begins"),
        pytest.param(["bucks", "--exact"], "Starbucks ends so: stsearch search '*bucks'", id="ends"),
        pytest.param(["arbuck", "--exact"], "Starbucks holds it: stsearch search '*arbuck*'", id="inside"),
        pytest.param(
            ["coffeestarbucks", "--exact"], "in two words: stsearch search 'coffee starbucks'", id="split"
        ),
        pytest.param(["star bucks", "--exact"], "in one word: stsearch search starbucks", id="joined"),
        pytest.param(["coffee AND zzxqy"], "'zzxqy' is not found: stsearch search coffee", id="one missing"),
        pytest.param(["roma fresh", "--exact"], "no photo shows all of these words: ", id="never together"),
        pytest.param(['"hours 24"'], "not next to each other: stsearch search 'hours 24'", id="phrase"),
        pytest.param(
            ["roma -bar"], "every photo with it also shows bar: stsearch search roma", id="unwanted"
        ),
        pytest.param(["hours or roma", "--exact"], "one or the other: stsearch search 'hours OR r", id="or"),
        pytest.param(["hours or -milk", "--exact"], "'or' is not found: stsearch search hours", id="bad OR"),
        pytest.param(["houses", "--exact"], "hours is the nearest word: stsearch search ", id="nearest"),
        pytest.param(["coofees*", "--exact"], "Coffee is the nearest word: stsearch search ", id="a pattern"),
        pytest.param(["hours", "--path", "bar.jpg"], "in all photos: stsearch search hours", id="filter"),
        pytest.param(["coffee", "--since", "2999"], "in all photos: stsearch search coffee", id="no photos"),
        pytest.param(["coffoo", "--path", "my c*", "--exact"], " --path 'my c*' ", id="a filter kept"),
    ],
)
def test_no_match_ends_with_1_and_offers_commands_that_match(
    run: Run, tmp_path: Path, arguments: list[str], message: str
) -> None:
    with Gallery.open(tmp_path / ".stsearch") as gallery:
        gallery.add([set_in_lines("my cup.jpg", "Coffee")])
    done = run(*arguments)
    assert (done.code, done.out) == (1, "")
    assert message in done.err
    commands = [line.partition(": stsearch search ")[2] for line in done.err.splitlines() if line[0] == " "]
    assert 1 <= len(commands) <= 4
    for command in commands:
        assert run(*shlex.split(command)).code == 0, command


@pytest.mark.parametrize("query", ["zzxqy", '"coffee tea"', "c?f*x9 -milk", "qq OR xx yy"])
def test_where_nothing_was_read_a_command_that_matches_is_offered_too(
    run: Run, tmp_path: Path, query: str
) -> None:
    photo = set_in_lines("unread.jpg", "coffee")
    unread = [replace(each, transcript="", confidence=0.0, characters=()) for each in photo.instances]
    with Gallery.create(tmp_path / "unread" / ".stsearch", tmp_path / "unread", MODEL) as gallery:
        gallery.add([replace(photo, instances=unread)])
        gallery.finish()
    done = run(query, "--index", "unread")
    assert done.code == 1
    *_, command = done.err.splitlines()
    assert run(*shlex.split(command.partition(": stsearch search ")[2])).code == 0


def test_what_is_nearly_the_word_is_shown_below_a_line(run: Run) -> None:
    done = run("starbocks", "--exact")
    assert (done.code, done.out) == (1, "")
    line = "── nearly: a letter differs, or two are swapped ──"
    assert f"{line}\nStarbucks  cafe.jpg\n" in done.err
    assert "nearly" not in run("zzxqy").err
    assert "nearly" not in run("bor", "--exact").err  # of a short word any other letter makes another word


def test_no_match_is_a_json_line_with_the_same_advice(run: Run) -> None:
    done = run("starbocks", "--exact", "--json")
    line = json.loads(done.out)
    assert (done.code, line["type"], line["schema"], line["query"]) == (1, "no_match", 1, "starbocks")
    assert [hit["transcript"] for hit in line["nearly"]] == ["Starbucks"]
    assert {
        "reason": "Starbucks, 1 letter differs",
        "query": "starbocks",
        "fuzzy": 1,
        "min_score": None,
        "command": "stsearch search starbocks --fuzzy 1",
    } in line["advice"]


def test_a_query_that_matches_nothing_is_scored_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    scored: list[str] = []
    score = scoring.raw_word_scores

    def watched(word: str, *others: Any) -> Any:  # Any: as the function itself
        scored.append(word)
        return score(word, *others)

    monkeypatch.setattr(scoring, "raw_word_scores", watched)
    run("zzxqy")
    assert scored.count("zzxqy") == 1


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        pytest.param(["fresh", "coffee", "--exact"], ["shop.jpg"], id="words without quotes"),
        pytest.param(["coffee", "-starbucks"], ["shop.jpg"], id="an unwanted word"),
        pytest.param(["-starbucks", "coffee"], ["shop.jpg"], id="an unwanted word first"),
        pytest.param(["-lattes", "coffee", "-n1"], ["cafe.jpg"], id="one that begins like an option"),
        pytest.param(["coffee", "NOT", "starbucks"], ["shop.jpg"], id="not"),
        pytest.param(["bar|open"], ["bar.jpg", "shop.jpg"], id="a bar"),
        pytest.param(["fresh", "AND", "coffee", "--exact"], ["shop.jpg"], id="and"),
    ],
)
def test_queries_are_typed_as_people_type_them(run: Run, arguments: list[str], found: list[str]) -> None:
    done = run("-l", *arguments)
    assert (done.code, names(done.out)) == (0, found)


def test_an_option_that_does_not_exist_is_no_word(run: Run) -> None:
    assert run("coffee", "--starbucks").code == 2


def test_what_may_have_been_meant_otherwise_is_said(run: Run) -> None:
    assert "'or' is searched for like any word; for one or the other write OR" in run("tea or coffee").err


def test_several_galleries_are_searched_together(run: Run, tmp_path: Path) -> None:
    make_set_gallery(tmp_path / "more", {"x.jpg": ["coffee"]}).close()
    done = run("coffee", "--index", ".", "--index", "more", "-l")
    assert names(done.out) == ["cafe.jpg", "x.jpg", "shop.jpg"]


def test_a_path_as_it_is_printed_is_a_path_as_it_is_typed(run: Run, tmp_path: Path) -> None:
    make_set_gallery(tmp_path / "trips", {"rome/x.jpg": ["coffee"], "y.jpg": ["coffee"]}).close()
    printed = run("coffee", "--index", "trips").out.splitlines()[0].split("\t")[1]
    for typed in (printed, str(tmp_path / printed), "trips/rome", "trips/r*"):
        assert names(run("coffee", "--index", "trips", "--path", typed, "-l").out) == ["x.jpg"], typed
    assert len(run("coffee", "--index", "trips", "--path", "trips", "-l").out.splitlines()) == 2


def test_how_many_more_there_are_is_said(run: Run) -> None:
    assert "1 of 2 hits in 1 photo · --top 2 shows more · " in run("coffee", "--top", "1").err
    assert "2 hits in 2 photos · " in run("coffee").err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param([], "give either a query", id="no query"),
        pytest.param(["tea", "--queries", "list"], "give either a query", id="a query and a file"),
        pytest.param(["tea", "--like", "a.png"], "give either a query", id="a query and a picture"),
        pytest.param(
            ["--like", "absent.png"], "--like needs a picture of a word: absent.png: No such", id="no picture"
        ),
        pytest.param(["tea", "-l", "--json"], "-l and -0 print paths alone, --json", id="paths and JSON"),
        pytest.param(["tea", "-0", "--json"], "-l and -0 print paths alone, --json", id="NUL and JSON"),
        pytest.param(["tea", "--exact", "--fuzzy", "1"], "--exact allows no edit", id="exact and fuzzy"),
        pytest.param(["tea", "--fuzzy", "3"], "--fuzzy", id="too fuzzy"),
        pytest.param(
            ["tea", "--since", "2024-13"],
            "'2024-13' is not a valid date (month must be in 1..12): give",
            id="no such month",
        ),
        pytest.param(["чай"], "'ч' in 'чай' cannot be searched for", id="another script"),
        pytest.param(
            ["--queries", "absent"], "cannot read the queries in absent: No such file", id="no file"
        ),
    ],
)
def test_a_wrong_request_ends_with_2(run: Run, arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert message in done.err


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--path", "c*"], ["cafe.jpg"]),
        (["--path", "c*", "--path", "s*.jpg"], ["cafe.jpg", "shop.jpg"]),
        (["--until", "1971"], ["cafe.jpg", "shop.jpg"]),  # the files are of the first moment of 1970
        (["--until", "1971", "--path", "s*", "--group", "photo", "--min-score", "0"], ["shop.jpg"]),
    ],
)
def test_filters_choose_photos(run: Run, arguments: list[str], found: list[str]) -> None:
    done = run("-l", "coffee", *arguments)
    assert (done.code, names(done.out)) == (0, found)


def test_photos_that_no_filter_admits_are_no_match(run: Run) -> None:
    done = run("coffee", "--since", "2999")
    assert (done.code, done.out) == (1, "")
    assert "No match: no photo is chosen by --path, --since and --until.\n" in done.err


def test_many_queries_are_answered_in_one_pass(run: Run, tmp_path: Path) -> None:
    (tmp_path / "list").write_text("roma\n\n  zzxqy \n'open' 24\n", encoding="utf-8")
    done = run("--queries", "list", "--json", "--group", "photo")
    matches = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 0
    assert [(match["type"], match["query"]) for match in matches] == [
        ("match", "roma"),
        ("no_match", "zzxqy"),
        ("match", "'open' 24"),
    ]
    assert "zzxqy: No match.\n" in run("--queries", "list").err


def test_queries_are_read_from_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("Róma\nbar\n".encode())))
    done = run("--queries", "-", "--exact")
    assert done.out == "Róma\t1.00\tbar.jpg\tRoma\t40,0,40,20\nbar\t1.00\tbar.jpg\tBAR\t0,0,30,20\n"
    assert "2 hits in 1 photo · 2 of 2 queries matched · " in done.err


def test_a_wrong_line_fails_that_line_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes("-milk\nroma\n日本\nbar\n".encode() + b"caf\xe9\n")
    done = run("--queries", "list", "-l")
    assert (done.code, names(done.out)) == (0, ["bar.jpg"])
    assert "list, line 1: '-milk' only excludes words" in done.err
    assert "list, line 5: 'caf\ufffd' is not UTF-8" in done.err
    assert "list, line 3: '日' in '日本' cannot be searched for" in done.err
    printed = run("--queries", "list", "--json", "--group", "photo").out
    lines = list(map(json.loads, printed.splitlines()))
    assert [(line["type"], line["query"]) for line in lines] == [
        ("wrong_query", "-milk"),
        ("wrong_query", "日本"),
        ("wrong_query", "caf\ufffd"),
        ("match", "roma"),
        ("match", "bar"),
    ]


def test_each_photo_of_many_queries_is_printed_once(run: Run, tmp_path: Path) -> None:
    (tmp_path / "list").write_text("coffee\nfresh\n", encoding="utf-8")
    assert names(run("--queries", "list", "-l").out) == ["cafe.jpg", "shop.jpg"]


def test_many_queries_of_which_none_matches_end_with_1(run: Run, tmp_path: Path) -> None:
    (tmp_path / "list").write_text("zzxqy\nqqq\n", encoding="utf-8")
    assert run("--queries", "list", "--exact").code == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"-milk\n\n??\n", "list, line 3: '??' would match every word", id="no right line"),
        pytest.param(b"\n \n", "list holds no query", id="nothing but blank lines"),
        pytest.param(b"caf\xe9\n", "list, line 1: 'caf\ufffd' is not UTF-8: convert", id="another encoding"),
    ],
)
def test_a_file_without_a_query_ends_with_2(run: Run, tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "list").write_bytes(content)
    done = run("--queries", "list")
    assert (done.code, done.out) == (2, "")
    assert message in done.err


def test_json_explains_which_words_matched(run: Run) -> None:
    (line,) = run('"opem 24"', "--json", "--explain").out.splitlines()
    match = json.loads(line)
    assert match["transcript"] == "open 24"
    assert [(each["word"], each["transcript"], each["edits"]) for each in match["matches"]] == [
        ("opem", "open", 1),
        ("24", "24", 0),
    ]
    assert match["matches"][1] == {
        "word": "24",
        "similarity": 1.0,
        "transcript": "24",
        "characters": [0.949, 0.949],
        "edits": 0,
        "likelihood": None,
        "alternatives": [],
    }
    assert match["limits"] == {"min_score": 0.6, "fuzzy": None}


def test_a_line_explains_itself_in_its_last_column(run: Run) -> None:
    fields = run("rome", "--explain").out.rstrip("\n").split("\t")
    assert fields[-1] == "rome: read Roma (R.95 o.95 m.95 a.95), 1 edit, similarity 0.75; shown from 0.60"


def test_an_explanation_names_what_else_was_read_there_and_the_limits(run: Run, tmp_path: Path) -> None:
    with Gallery.open(tmp_path / ".stsearch") as gallery:
        gallery.add([set_in_lines("new.jpg", "pub"), overlaid("ale.jpg", "Ales", "A1es", "Alex")])
        gallery.finish()
    fields = run("ales", "--explain", "--fuzzy", "1").out.splitlines()[0].split("\t")
    assert fields[-1] == (
        "ales: read Ales (A.95 l.95 e.95 s.95), or A1es, or Alex, 0 edits, similarity 1.00, likelihood 0.03;"
        " shown from 0.00, of at most 1 edit"
    )
    line = run("ales", "--explain", "--json", "--fuzzy", "1").out.splitlines()[0]
    assert json.loads(line)["matches"][0]["alternatives"] == ["A1es", "Alex"]


def test_a_table_explains_each_row(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    (tmp_path / "list").write_text("bar\n", encoding="utf-8")
    monkeypatch.setenv("COLUMNS", "80")
    assert [line.rstrip() for line in run("--queries", "list", "--explain").out.splitlines()[:5]] == [
        "#  query  word  score  photo",
        "1  bar    BAR    1.00  bar.jpg",
        "   bar: read as BAR (every letter is sure)",
        "     same letters · similarity 1.00",
        "   shown from 0.60; read with confidence 0.80",
    ]


def test_a_table_says_where_words_stand_only_when_asked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert run("roma", "--exact").out.splitlines()[1].split() == ["1", "Roma", "1.00", "bar.jpg"]
    assert run("roma", "--exact", "--boxes").out.splitlines()[1].split()[-1] == "40,0,40,20"


def test_a_photo_without_the_word_is_shown_without_a_box(run: Run) -> None:
    lines = run('"open 24"', "--group", "photo", "--min-score", "0").out.splitlines()
    assert lines[1:] == [f"0.00\t{name}.jpg\t\t" for name in ("bar", "blank", "cafe")]


def test_quiet_leaves_results_and_errors(run: Run) -> None:
    assert run("roma", "--exact", "-q") == (0, "1.00\tbar.jpg\tRoma\t40,0,40,20\n", "")
    assert run("zzxqy", "--quiet") == (1, "", "")
    assert run("tea", "--fuzzy", "1", "--exact", "-q").err.startswith("error: --exact allows no edit")
    assert "1 hit in 1 photo" in run("roma", "--exact").err
