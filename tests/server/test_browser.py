"""The page in a real browser: typing, opening, stepping, filters, pictures, history, and what is hostile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM, Running, running
from gallery_fixtures import photo_bytes
from server_fixtures import SIGNS, make_photos, record, use_letters

from stsearch.gallery.gallery import Gallery

pytest.importorskip("playwright", reason="playwright is not installed: pip install playwright")
if not CHROMIUM.exists():
    pytest.skip(f"{CHROMIUM} is not installed: apt-get install chromium", allow_module_level=True)

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

pytestmark = pytest.mark.slow

HOSTILE = {
    "<img src=x onerror=alert(1)>.png": ["<img/onerror=alert(1)>", "bazaar"],
    "‮gnp.txt.png": ["שלום", "bazaar"],
    "'\"&{{7*7}}.png": ["\"'><script>alert(1)</script>", "bazaar"],
    f"{'n' * 200}.png": ["bazaar", "x" * 900],
}
MANY = {f"{number:03}.png": ["lantern", f"{number:03}"] for number in range(70)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Serve photographs that no test changes: signs, hostile names and transcripts, many of one word."""
    folder = tmp_path_factory.mktemp("browser") / "photos"
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_letters(monkeypatch)
        make_photos(folder, {**SIGNS, **HOSTILE, **MANY})
        with running(folder) as server:
            yield server


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1200, "height": 800}, reduced_motion="reduce")
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def faults() -> list[str]:
    """Return what goes wrong in the page: errors of scripts, and what its policy refuses."""
    return []


@pytest.fixture
def page(context: BrowserContext, server: Running, faults: list[str]) -> Page:
    page = watched(context, faults)
    page.goto(server.address)
    return page


def watched(context: BrowserContext, faults: list[str]) -> Page:
    page = context.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("dialog", lambda dialog: faults.append(f"dialog: {dialog.message}"))
    return page


REPEATED_IDS = """[...document.querySelectorAll("[id]")].map(({ id }) => id)
  .filter((id, at, all) => all.indexOf(id) !== at)"""


@pytest.fixture(autouse=True)
def nothing_goes_wrong(context: BrowserContext, faults: list[str]) -> Iterator[None]:
    """Make sure that no test ends with an error in the page, or with a page inside a page."""
    yield
    assert [page.evaluate(REPEATED_IDS) for page in context.pages] == [[] for _ in context.pages]
    assert [fault for fault in faults if "Failed to load resource" not in fault] == []


def words(page: Page) -> list[str]:
    return page.locator("#results .hit .word").all_inner_texts()


def search(page: Page, text: str) -> None:
    page.locator("#q").fill(text)
    expect(page.locator("#results .summary strong")).to_have_text(text)


def test_hits_come_while_typing_and_the_url_follows(page: Page) -> None:
    page.locator("#q").press_sequentially("hotel", delay=15)
    expect(page.locator("#results .hit .word").first).to_have_text("HOTEL")
    expect(page.locator("#said")).to_have_text("hotel 1 hit in 1 photograph")
    assert page.url.endswith("/?q=hotel")
    assert page.title() == "hotel · stsearch"


def test_an_answer_older_than_the_last_key_is_dropped(page: Page, server: Running) -> None:
    def hold(route) -> None:  # type: ignore[no-untyped-def]  # of playwright
        if "q=hotel" in route.request.url:
            held.append(route)
        else:
            route.continue_()

    held: list[object] = []
    page.route("**/*", hold)
    page.locator("#q").fill("hotel")
    page.wait_for_timeout(300)
    assert len(held) == 1
    search(page, "coffee")
    assert "HOTEL" not in words(page)


def test_a_hit_opens_its_photograph_and_the_arrows_step(page: Page) -> None:
    search(page, "coffee")
    page.locator(".hit a").first.click()
    expect(page.locator("dialog[open] #photo polygon.found")).to_have_count(1)
    expect(page.locator("#viewer-title")).to_contain_text("coffee")
    expect(page.locator("#viewer p.quiet").first).to_contain_text("hit 1 of")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer p.quiet").first).to_contain_text("hit 2 of")
    assert page.url.endswith("hit=2")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#viewer p.quiet").first).to_contain_text("hit 1 of")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer p.quiet").first).to_contain_text("hit 2 of")
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    assert page.url.endswith("/?q=coffee")
    expect(page.locator("#hit-2 a")).to_be_focused()


def test_the_other_words_are_text_over_the_photograph(page: Page) -> None:
    search(page, "hotel")
    page.locator(".hit a").click()
    expect(page.locator("#photo text")).to_have_text(["HOTEL", "coffee", "24"])
    page.locator("#photo text", has_text="coffee").dblclick()
    assert page.evaluate("getSelection().toString().trim()") == "coffee"


def test_zoom_and_pan_keep_the_photograph_in_sight(page: Page) -> None:
    search(page, "hotel")
    page.locator(".hit a").click()
    photo = page.locator("#photo")
    expect(photo).to_have_attribute("viewBox", "0 0 640 480")
    page.keyboard.press("+")
    page.keyboard.press("+")
    width = float(photo.get_attribute("viewBox").split()[2])  # type: ignore[union-attr]  # it has one
    assert width == pytest.approx(640 / 2.25, rel=0.01)
    box = photo.bounding_box()
    assert box
    page.mouse.move(box["x"] + 400, box["y"] + 400)
    page.mouse.down()
    page.mouse.move(box["x"] - 4000, box["y"] + 300, steps=3)
    page.mouse.up()
    x, _, width, _ = map(float, photo.get_attribute("viewBox").split())  # type: ignore[union-attr]
    assert x + width == pytest.approx(640, abs=0.1)
    page.keyboard.press("0")
    expect(photo).to_have_attribute("viewBox", "0 0 640 480")


def test_why_a_hit_was_found_is_explained(page: Page) -> None:
    search(page, "hotel")
    page.locator(".hit a").click()
    expect(page.locator(".why dl").first).to_contain_text("similarity")
    expect(page.locator(".why")).to_contain_text("Shown from 0.")


def test_more_like_a_word_is_another_search_with_its_own_url(page: Page) -> None:
    search(page, "hotel")
    page.locator(".hit a").click()
    page.locator(".chips a", has_text="coffee").click()
    expect(page.locator("#results .summary strong")).to_have_text("coffee")
    assert "/?like=" in page.url
    assert set(words(page)[:3]) == {"coffee"}
    page.go_back()
    expect(page.locator("dialog[open] #viewer-title")).to_contain_text("HOTEL")


def test_back_and_forward_show_what_the_url_says(page: Page) -> None:
    search(page, "hotel")
    page.locator(".hit a").click()
    expect(page.locator("dialog[open]")).to_have_count(1)
    page.go_back()
    expect(page.locator("dialog[open]")).to_have_count(0)
    expect(page.locator("#q")).to_have_value("hotel")
    page.go_forward()
    expect(page.locator("dialog[open] #viewer-title")).to_contain_text("HOTEL")


def test_a_url_shows_the_same_when_it_is_loaded_anew_or_in_another_tab(
    page: Page, context: BrowserContext, faults: list[str]
) -> None:
    search(page, "coffee")
    page.locator(".hit a").nth(1).click()
    expect(page.locator("dialog[open] #viewer-title")).to_be_visible()
    title, url = page.locator("#viewer-title").inner_text(), page.url
    named = page.title()
    assert named.endswith(".png · coffee · stsearch")
    page.reload()
    expect(page).to_have_title(named)
    expect(page.locator("#said")).to_contain_text("coffee")
    expect(page.locator("dialog[open] #viewer-title")).to_have_text(title)
    other = watched(context, faults)
    other.goto(url)
    expect(other.locator("dialog[open] #viewer-title")).to_have_text(title)
    search(page_after_closing(other), "hotel")
    expect(page.locator("#q")).to_have_value("coffee")


def page_after_closing(page: Page) -> Page:
    page.keyboard.press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)
    return page


def test_filters_narrow_the_hits_stand_in_the_url_and_are_cleared(page: Page) -> None:
    search(page, "coffee")
    page.locator("#filters-button").click()
    page.locator("input[name=path]").fill("street")
    page.locator("select[name=fuzzy]").select_option("0")
    expect(page.locator("#results .file").first).to_have_text("cafe.png")
    expect(page.locator("#results .hit")).to_have_count(2)
    assert "path=street" in page.url
    assert "fuzzy=0" in page.url
    page.locator("#clear-filters").click()
    expect(page.locator("#results .hit")).to_have_count(3)
    assert page.url.endswith("/?q=coffee")


def test_without_a_match_searches_that_do_are_a_click_away(page: Page) -> None:
    search(page, "lamtren")
    expect(page.locator(".summary")).to_contain_text("lamtren")
    page.goto(page.url + "&fuzzy=0")
    expect(page.locator("#results")).to_contain_text("No match")
    page.locator(".advice a").first.click()
    expect(page.locator("#results .hit .word").first).to_have_text("lantern")


def test_what_is_no_query_is_said_to_be_none(page: Page) -> None:
    page.locator("#q").fill('"open')
    expect(page.locator("#results .notice")).to_contain_text("a quotation mark is missing")
    expect(page.locator("#said")).to_contain_text("a quotation mark is missing")


def test_hits_go_on_while_scrolling(page: Page) -> None:
    search(page, "lantern")
    expect(page.locator("#results .hit")).to_have_count(60)
    page.locator(".hit").last.scroll_into_view_if_needed()
    page.mouse.wheel(0, 4000)
    expect(page.locator("#results .hit")).to_have_count(70)
    page.locator("#hit-65 a").click()
    expect(page.locator("#viewer p.quiet").first).to_contain_text("hit 65 of 70")


def test_a_picture_is_searched_for_by_dropping_it_and_its_url_can_be_reloaded(page: Page) -> None:
    page.evaluate(
        """async (bytes) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(bytes)], "crop.png", { type: "image/png" }));
          const how = { dataTransfer: transfer, bubbles: true, cancelable: true };
          for (const type of ["dragenter", "dragover", "drop"])
            document.body.dispatchEvent(new DragEvent(type, how));
        }""",
        list(photo_bytes("coffee")),
    )
    expect(page.locator("#results .hit .word").first).to_have_text("coffee")
    assert "/?picture=" in page.url
    page.reload()
    expect(page.locator("#results .hit .word").first).to_have_text("coffee")
    page.locator("#q").fill("hotel")
    expect(page.locator("#results .hit .word").first).to_have_text("HOTEL")


def test_a_file_that_is_no_picture_is_said_to_be_none(page: Page, faults: list[str]) -> None:
    page.locator("#file").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"nothing"})
    expect(page.locator("#results .notice")).to_contain_text("not a picture")


def test_hostile_names_and_transcripts_are_text(page: Page) -> None:
    search(page, "bazaar")
    expect(page.locator("#results .hit")).to_have_count(len(HOSTILE))
    shown = page.locator("#results .file").all_inner_texts()
    assert "<img src=x onerror=alert(1)>.png" in shown
    for rank in range(1, len(HOSTILE) + 1):
        page.goto(f"{page.url.split('&')[0]}&hit={rank}")
        expect(page.locator("dialog[open] #photo")).to_be_visible()
    assert page.evaluate("document.querySelectorAll('img[src=x], script:not([src])').length") == 0
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) == 0


def test_the_keyboard_alone_is_enough(page: Page) -> None:
    page.keyboard.type("coffee")  # the field has the focus
    expect(page.locator("#results .summary strong")).to_have_text("coffee")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#hit-2 a")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#viewer p.quiet").first).to_contain_text("hit 2 of")
    page.keyboard.press("Escape")
    expect(page.locator("#hit-2 a")).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1200, 800), (360, 740)], ids=["wide", "phone"])
def test_no_serious_fault_of_accessibility(
    browser: Browser, server: Running, scheme: str, size: tuple[int, int]
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    context = browser.new_context(
        color_scheme="dark" if scheme == "dark" else "light",
        viewport={"width": size[0], "height": size[1]},
        bypass_csp=True,  # for axe, which is put into the page
        reduced_motion="reduce",
    )
    page = context.new_page()
    found: list[object] = []
    for place, drawer in (
        ("/?q=coffee", "help"),
        ("/?q=lamtern&fuzzy=0", "filters"),
        ("/?q=coffee&hit=1", ""),
    ):
        page.goto(server.address + place)
        if drawer:
            page.evaluate("(name) => document.getElementById(name).showPopover()", drawer)
        found += [
            (place, fault["id"], [node["html"][:120] for node in fault["nodes"]][:3])
            for fault in Axe().run(page).response["violations"]
            if fault["impact"] in ("serious", "critical")
        ]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()
    assert found == []


def test_the_gallery_and_the_photographs_may_change_underneath(
    context: BrowserContext, tmp_path: Path, faults: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    use_letters(monkeypatch)
    monkeypatch.setattr("stsearch.server.service._CHECK_S", 0.0)
    monkeypatch.setattr("stsearch.server.library._WAIT", 0.0)
    folder = make_photos(tmp_path / "photos")
    with running(folder) as server:
        page = watched(context, faults)
        page.goto(f"{server.address}/?q=pelican&fuzzy=0")
        expect(page.locator("#results")).to_contain_text("No match")
        with Gallery.edit(folder / ".stsearch") as gallery:
            gallery.add([record(folder, "new.png", ["pelican"])])
            gallery.finish()
        page.reload()
        page.locator(".hit a").click()
        expect(page.locator("dialog[open] #photo")).to_be_visible()
        (folder / "new.png").unlink()
        page.reload()
        expect(page.locator("dialog[open] .stage")).to_contain_text("new.png is no longer there")
        expect(page.locator(".hit .file")).to_contain_text("(deleted)")


def test_indexing_is_started_from_the_page_and_watched_to_its_end(
    context: BrowserContext, tmp_path: Path, faults: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    use_letters(monkeypatch)
    monkeypatch.setattr("stsearch.server.index_run._MODULE", "fake_index_process")
    monkeypatch.setattr("stsearch.weights.card.find_by_sha256", lambda sha256, name: "waits")
    folder = make_photos(tmp_path / "photos")
    with running(folder) as server:
        page = watched(context, faults)
        page.goto(server.address)
        page.get_by_role("button", name="Galleries").click()
        expect(page.locator(".gallery")).to_contain_text("3 photographs, 11 words")
        page.get_by_role("button", name="Look for new photographs").click()
        expect(page.locator(".gallery progress")).to_be_visible()
        expect(page.locator(".gallery")).to_contain_text("1 of 9 files")
        server.runs.stop()
        expect(page.locator(".gallery [role=status]")).to_contain_text("start it again")
        expect(page.get_by_role("button", name="Look for new photographs")).to_be_visible()
