"""Crops in the terminal: by the graphics it says it has, else with half blocks of colour.

Kitty graphics protocol: https://sw.kovidgoyal.net/kitty/graphics-protocol/; inline images of iTerm2:
https://iterm2.com/documentation-images.html.
"""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import PIL.Image
from rich.console import Console
from rich.style import Style
from rich.text import Text

from stsearch.cli import output
from stsearch.errors import ImageError
from stsearch.images import read_image
from stsearch.pages.drawing import cut_word, shrink

if TYPE_CHECKING:
    from stsearch.search.hits import Hit
    from stsearch.types import Image

Graphics = Literal["kitty", "iterm", "blocks"]

_HEIGHT = 48  # pixels of a crop, where the terminal shows pixels: three lines
_BLOCK_ROWS = 8  # lines of a crop of half blocks, two pixels each
_KITTY_CHUNK = 4096  # bytes; the protocol allows no more in one command


def graphics_of(environment: Mapping[str, str]) -> Graphics:
    """Return how the terminal that ``environment`` describes can show a picture."""
    program = environment.get("TERM_PROGRAM", "")
    if environment.get("TMUX") or environment.get("TERM", "").startswith(("screen", "tmux")):
        return "blocks"  # graphics would have to pass through, which it is seldom told to allow
    if environment.get("KITTY_WINDOW_ID") or environment.get("TERM") in ("xterm-kitty", "xterm-ghostty"):
        return "kitty"
    if program in ("iTerm.app", "WezTerm") or environment.get("LC_TERMINAL") == "iTerm2":
        return "iterm"
    return "blocks"


def print_crops(hits: Sequence[Hit], graphics: Graphics) -> None:
    """Print the word of each hit, cut out of its photograph; stderr names what cannot be read."""
    console = Console()
    if graphics == "blocks" and (console.no_color or console.color_system is None):
        output.note("--preview needs a terminal with colours")
        return
    photo: tuple[object, Image | None] = (None, None)
    for hit in hits:
        if not len(hit.polygon):
            continue
        if photo[0] != (hit.path, hit.page):
            photo = ((hit.path, hit.page), _read(hit))
        if photo[1] is not None:
            print(f"{hit.rank}  {hit.score:.2f}  {output.printable(hit.transcript)}", flush=True)
            _print_crop(cut_word(photo[1], hit.polygon, _HEIGHT), graphics, console)


def _read(hit: Hit) -> Image | None:
    try:
        return read_image(hit.path, page=hit.page)
    except ImageError as error:
        output.complain(f"cannot show {output.printable(str(error))}")
        return None


def _print_crop(crop: Image, graphics: Graphics, console: Console) -> None:
    if graphics == "blocks":
        for line in half_blocks(crop, console.width):
            console.print(line)
    else:
        sys.stdout.write((kitty if graphics == "kitty" else iterm)(crop) + "\n")


def kitty(picture: Image) -> str:
    """Return what shows ``picture`` (H, W, 3) in terminals with the graphics of Kitty."""
    encoded = _png(picture)
    parts = [encoded[start : start + _KITTY_CHUNK] for start in range(0, len(encoded), _KITTY_CHUNK)]
    commands = []
    for number, part in enumerate(parts):
        first = "a=T,f=100,q=2," if number == 0 else ""  # show a PNG, and answer nothing
        commands.append(f"\x1b_G{first}m={int(number < len(parts) - 1)};{part}\x1b\\")
    return "".join(commands)


def iterm(picture: Image) -> str:
    """Return what shows ``picture`` (H, W, 3) in iTerm2 and terminals that took its images over."""
    height, width = picture.shape[:2]
    return f"\x1b]1337;File=inline=1;width={width}px;height={height}px:{_png(picture)}\x07"


def half_blocks(picture: Image, columns: int) -> Iterator[Text]:
    """Yield lines of ``picture`` (H, W, 3), two pixels a character, at most ``columns`` wide."""
    height, width = picture.shape[:2]
    rows = 2 * _BLOCK_ROWS
    small, _ = shrink(picture, min(max(height, width) * rows // height, columns))
    for upper in range(0, len(small) - len(small) % 2, 2):
        line = Text()
        for top, bottom in zip(small[upper].tolist(), small[upper + 1].tolist(), strict=True):
            line.append("▀", Style.parse(f"{_colour(top)} on {_colour(bottom)}"))
        yield line


def _colour(pixel: Sequence[int]) -> str:
    red, green, blue = pixel
    return f"rgb({red},{green},{blue})"


def _png(picture: Image) -> str:
    buffer = io.BytesIO()
    PIL.Image.fromarray(picture).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")
