"""The contact sheet: one HTML file that shows every hit, the word cut out and outlined in its photograph.

It holds its pictures and needs nothing else: no script, no network, no other file. What comes from outside,
such as names of files, is escaped; and the page forbids itself to run or to load anything.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import PIL.Image

from stsearch.cli import output
from stsearch.cli.drawing import cut_word, outline_words, shrink
from stsearch.errors import WriteError

if TYPE_CHECKING:
    from stsearch.search.engine import Hit
    from stsearch.types import Image

_PHOTO_SIDE = 960  # pixels; twice the width of a card, for screens of fine resolution
_CROP_HEIGHT = 72
_JPEG_QUALITY = 80

_STYLE = """
:root { color-scheme: light dark; --paper: #f6f6f4; --card: #fff; --ink: #1c1c1c; --faint: #5e5e5e;
  --line: #d8d8d4; --accent: #b00048; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #141416; --card: #1f1f23; --ink: #ececec; --faint: #a6a6ac; --line: #38383e;
    --accent: #ff7aa8; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 1.5rem; background: var(--paper); color: var(--ink);
  font: 16px/1.45 system-ui, sans-serif; }
header { margin-bottom: 1rem; } h1 { font-size: 1.4rem; margin: 0 0 .2rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .6rem; }
p { margin: 0; color: var(--faint); }
h1, h2, h3, figcaption { overflow-wrap: anywhere; }
ol, ul { list-style: none; margin: 0; padding: 0; }
.photos { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr));
  align-items: start; }
.photos > li { background: var(--card); border: 1px solid var(--line); border-radius: .5rem;
  overflow: hidden; }
h3 { font-size: .95rem; font-weight: 600; margin: 0; padding: .6rem .8rem; }
h3 small { display: block; font-weight: 400; color: var(--faint); }
a { color: var(--accent); } a:focus-visible { outline: 3px solid var(--accent); outline-offset: -3px; }
.photo { display: block; } .photo img { display: block; width: 100%; max-height: 26rem; object-fit: contain;
  background: var(--line); }
.words { display: grid; gap: .6rem; padding: .8rem; }
figure { margin: 0; } figure img { display: block; max-width: 100%; width: auto; height: 2.25rem;
  object-fit: contain; object-position: left; border-radius: .2rem; }
figcaption b { margin-right: .6em; } .missing { padding: 0 .8rem .8rem; }
"""


class ContactSheet:
    """Takes photographs with their hits one after the other, and writes the page."""

    def __init__(self) -> None:
        self._cards: dict[
            str, list[tuple[int, str]]
        ] = {}  # by query: the best rank in a photograph, its card
        self._hits: list[Hit] = []

    def add(self, path: Path, page: int | None, hits: Sequence[Hit], image: Image | None) -> None:
        """Add a page with all its hits; ``image`` is (H, W, 3) RGB, None when it cannot be read.

        Args:
            path: of the photograph.
            page: from 1; None in a photograph of one page.
            hits: in it.
            image: its pixels.
        """
        self._hits += hits
        for query in dict.fromkeys(hit.query for hit in hits):
            answers = [hit for hit in hits if hit.query == query]
            card = _card(path, page, answers, image)
            self._cards.setdefault(query, []).append((min(hit.rank for hit in answers), card))

    def write(self, file: Path) -> None:
        """Write the page, over one that is there.

        Raises:
            WriteError: the disk is full, or the folder may not be written to.
        """
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(self._page(), encoding="utf-8")
        except OSError as error:
            raise WriteError(f"cannot write {file}: {error.strerror or error}") from error

    def _page(self) -> str:
        title = ", ".join(map(_text, self._cards))
        photos = output.counted(len({hit.path for hit in self._hits}), "photo")
        sections = []
        for query, cards in self._cards.items():
            heading = f"<h2>{_text(query)}</h2>\n" if len(self._cards) > 1 else ""
            items = "\n".join(card for _, card in sorted(cards, key=lambda item: item[0]))
            sections.append(f'<section>\n{heading}<ol class="photos">\n{items}\n</ol>\n</section>')
        return (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            '<meta http-equiv="Content-Security-Policy"'
            " content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n"
            f"<title>{title} · stsearch</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<header>\n"
            f"<h1>{title}</h1>\n<p>{output.counted(len(self._hits), 'hit')} in {photos}</p>\n</header>\n"
            f"<main>\n{chr(10).join(sections)}\n</main>\n</body>\n</html>\n"
        )


def _card(path: Path, page: int | None, hits: Sequence[Hit], image: Image | None) -> str:
    """Return the list item of one page: its name, its picture, and a crop for each hit."""
    title = path.name if page is None else f"{path.name}, page {page}"
    link = html.escape(path.as_uri() if page is None else f"{path.as_uri()}#page={page}")
    name = f'<a href="{link}">{_text(title)}</a><small>{_text(str(path.parent))}</small>'
    if image is None:
        return (
            f'<li>\n<h3>{name}</h3>\n<p class="missing">This photo cannot be read now.</p>\n'
            f'<ul class="words">{"".join(_word(hit, "") for hit in hits)}</ul>\n</li>'
        )
    small, scale = shrink(image, _PHOTO_SIDE)
    drawn = outline_words(small, [hit.polygon * scale for hit in hits])
    words = ", ".join(dict.fromkeys(hit.transcript for hit in hits if hit.transcript))
    crops = [_crop(hit, image) for hit in hits]
    photo = _picture(drawn, f"{title}, outlined: {words}" if words else title)
    return (
        f'<li>\n<h3>{name}</h3>\n<a class="photo" href="{link}" tabindex="-1">{photo}</a>\n'
        f'<ul class="words">{"".join(map(_word, hits, crops))}</ul>\n</li>'
    )


def _crop(hit: Hit, image: Image) -> str:
    if not len(hit.polygon):
        return ""
    return _picture(cut_word(image, hit.polygon, _CROP_HEIGHT), hit.transcript)


def _word(hit: Hit, crop: str) -> str:
    caption = f"<b>{_text(hit.transcript)}</b>{hit.score:.2f}"
    return f"<li><figure>{crop}<figcaption>{caption}</figcaption></figure></li>"


def _picture(image: Image, description: str) -> str:
    """Return an ``img`` element that holds ``image`` (H, W, 3)."""
    buffer = io.BytesIO()
    PIL.Image.fromarray(image).save(buffer, "JPEG", quality=_JPEG_QUALITY)
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    height, width = image.shape[:2]
    return (
        f'<img alt="{_text(description)}" width="{width}" height="{height}"'
        f' src="data:image/jpeg;base64,{encoded}">'
    )


def _text(text: str) -> str:
    """Return ``text`` as HTML shows it, with what cannot be shown escaped."""
    return html.escape(output.printable(text))
