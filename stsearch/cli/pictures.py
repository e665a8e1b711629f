"""Hits as pictures: copies of the photographs that match, and the contact sheet, from one look at each."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from stsearch.cli import output
from stsearch.cli.text_file import ELSEWHERE, check_page
from stsearch.errors import ImageError, UsageError, WriteError

if TYPE_CHECKING:
    from stsearch.objects.url import Location
    from stsearch.search.hits import Hit
    from stsearch.types import Image

_JPEG_QUALITY = 90
_LONGEST_STEM = 50  # characters of up to 4 bytes; a file name may have 255
_SHEET_ENDINGS = (".html", ".htm")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which pictures of the hits to make.

    Attributes:
        copies: folder for copies of the photographs with the words outlined; None for none.
        sheet: file for the contact sheet; None for none.
        opens: whether the contact sheet is shown in a browser; one is made for that if need be.
        max_megapixels: larger photographs are not decoded for it.
    """

    copies: Path | None
    sheet: Path | None
    opens: bool
    max_megapixels: float

    def check(self, photo_folders: Iterable[Location]) -> None:
        """Refuse what could harm photographs, be found as one, or mix two searches, before any is made.

        Raises:
            UsageError: the copies would lie among the photographs or other files; the sheet is not named
                as one, would replace a file of another kind, or has no folder.
        """
        if self.sheet and self.sheet.suffix.lower() not in _SHEET_ENDINGS:
            raise UsageError(f"--sheet {self.sheet} would not open in a browser: let its name end in .html")
        if self.sheet:
            check_page("--sheet", self.sheet)
        if self.copies is None:
            return
        for folder in photo_folders:
            if isinstance(folder, Path) and self.copies.resolve().is_relative_to(folder):
                raise UsageError(
                    f"--save {self.copies} lies among the photos of {folder}: the copies would be indexed"
                    " as photos; name a folder outside"
                )
        if self.copies.is_dir() and any(self.copies.iterdir()):
            raise UsageError(
                f"--save {self.copies} holds files already, such as those of another search:"
                " name a new folder, or an empty one"
            )

    def make(self, hits: Sequence[Hit], now: datetime) -> int:
        """Make the pictures of ``hits``, say what was made, and return how many photographs cannot be shown.

        Args:
            hits: of all queries; stderr names the photographs that cannot be read.
            now: when they were found, in local time.

        Raises:
            WriteError: the disk is full, or a folder may not be written to; what was written is whole.
        """
        if self.copies is None and self.sheet is None and not self.opens:
            return 0
        from stsearch.cli.contact_sheet import ContactSheet
        from stsearch.images import read_image

        place = self._place_of_sheet()
        if self.copies:
            _make_folder(self.copies)
        sheet, saved, failed = ContactSheet(place) if place else None, 0, 0
        for number, ((path, page), found) in enumerate(_by_page(hits).items(), start=1):
            image = None
            try:
                image = read_image(path, self.max_megapixels, page)
            except ImageError as error:
                failed += 1
                output.complain(f"cannot show {output.printable(str(error))}")
            if self.copies and image is not None:
                _save_copy(self.copies, f"{number:03d}-{_safe_stem(path, page)}", found, image)
                saved += 1
            if sheet:
                sheet.add(path, page, found, image)
        if self.copies:
            output.note(
                f"Saved {output.counted(saved, 'photo')} in {output.shown_path(self.copies.absolute())}"
            )
        if sheet and place:
            sheet.write(now)
            size = output.sized(place.stat().st_size)
            output.note(f"Wrote {output.shown_path(place.absolute())}, {size}")
            if self.opens:
                _open(place)
        return failed

    def _place_of_sheet(self) -> Path | None:
        """Return the file of the contact sheet; None where none is wanted."""
        if self.sheet is not None:
            return self.sheet
        return Path(tempfile.mkdtemp(prefix="stsearch-"), "hits.html") if self.opens else None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"cannot make {folder}: {error.strerror or error}") from error


def _open(sheet: Path) -> None:
    """Show ``sheet`` in a browser, if there is one."""
    import webbrowser

    if not webbrowser.open(sheet.resolve().as_uri()):
        output.note(f"--open finds no browser here; open {output.shown_path(sheet.absolute())} in one")


def _by_page(hits: Iterable[Hit]) -> dict[tuple[Location, int | None], list[Hit]]:
    pages: dict[tuple[Location, int | None], list[Hit]] = {}
    for hit in hits:
        pages.setdefault((hit.path, hit.page), []).append(hit)
    return pages


def label(hit: Hit) -> str:
    """Return what stands at an outline."""
    return f"{hit.score:.2f} {output.printable(hit.transcript)}"


def _save_copy(folder: Path, stem: str, hits: Sequence[Hit], image: Image) -> None:
    """Write a page with its words outlined to a file, whole; nothing of its EXIF goes along."""
    import PIL.Image

    from stsearch.gallery.atomic_files import replacing
    from stsearch.pages.drawing import outline_words

    drawn = outline_words(image, [hit.polygon for hit in hits], [label(hit) for hit in hits])
    with replacing(folder / f"{stem}.jpg", 0o666, ELSEWHERE) as beside:
        PIL.Image.fromarray(drawn).save(beside, "JPEG", quality=_JPEG_QUALITY)


def _safe_stem(path: Location, page: int | None) -> str:
    r"""Return the name of a page, without the ending of its file, as any file system and shell can take it.

    >>> _safe_stem(Path("Café 1;rm -rf\n~.jpeg"), None), _safe_stem(Path("scan.tif"), 2)
    ('Café_1_rm_-rf', 'scan-page2')
    """
    kept = "".join(c if c.isalnum() or c in "-._" else "_" for c in path.stem)
    stem = kept[:_LONGEST_STEM].strip("._") or "photo"
    return stem if page is None else f"{stem}-page{page}"
