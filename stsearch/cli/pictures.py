"""Hits as pictures: copies of the photographs that match, and the contact sheet, from one look at each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stsearch.cli import output
from stsearch.errors import ImageError, UsageError, WriteError

if TYPE_CHECKING:
    from stsearch.search.engine import Hit
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
        max_megapixels: larger photographs are not decoded for it.
    """

    copies: Path | None
    sheet: Path | None
    max_megapixels: float

    def check(self, photo_folders: Iterable[Path]) -> None:
        """Refuse what could harm photographs, or would be found as one, before anything is searched.

        Raises:
            UsageError: the copies would lie among the photographs, or the sheet is not named as one.
        """
        if self.sheet and self.sheet.suffix.lower() not in _SHEET_ENDINGS:
            raise UsageError(f"--sheet {self.sheet} would not open in a browser: let its name end in .html")
        for folder in photo_folders:
            if self.copies and self.copies.resolve().is_relative_to(folder):
                raise UsageError(
                    f"--save {self.copies} lies among the photos of {folder}: the copies would be indexed"
                    " as photos; name a folder outside"
                )

    def make(self, hits: Sequence[Hit]) -> int:
        """Make the pictures of ``hits``, and return how many photographs cannot be shown: stderr names them.

        Raises:
            WriteError: the disk is full, or a folder may not be written to.
        """
        if self.copies is None and self.sheet is None:
            return 0
        from stsearch.cli.contact_sheet import ContactSheet
        from stsearch.images import read_image

        sheet, failed = ContactSheet(), 0
        for number, ((path, page), found) in enumerate(_by_page(hits).items(), start=1):
            image = None
            try:
                image = read_image(path, self.max_megapixels, page)
            except ImageError as error:
                failed += 1
                output.note(f"cannot show {output.printable(str(error))}")
            if self.copies and image is not None:
                _save_copy(self.copies, f"{number:03d}-{_safe_stem(path, page)}", found, image)
            if self.sheet:
                sheet.add(path, page, found, image)
        if self.sheet:
            sheet.write(self.sheet)
        return failed


def _by_page(hits: Iterable[Hit]) -> dict[tuple[Path, int | None], list[Hit]]:
    pages: dict[tuple[Path, int | None], list[Hit]] = {}
    for hit in hits:
        pages.setdefault((hit.path, hit.page), []).append(hit)
    return pages


def label(hit: Hit) -> str:
    """Return what stands at an outline."""
    return f"{hit.score:.2f} {output.printable(hit.transcript)}"


def _save_copy(folder: Path, stem: str, hits: Sequence[Hit], image: Image) -> None:
    """Write a page with its words outlined to a new file; nothing of its EXIF goes along."""
    import PIL.Image

    from stsearch.cli.drawing import outline_words

    drawn = outline_words(image, [hit.polygon for hit in hits], [label(hit) for hit in hits])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        copy = 1
        while True:
            name = f"{stem}.jpg" if copy == 1 else f"{stem}-{copy}.jpg"
            try:
                with (folder / name).open("xb") as file:  # x: what is there already is never written over
                    PIL.Image.fromarray(drawn).save(file, "JPEG", quality=_JPEG_QUALITY)
                return
            except FileExistsError:
                copy += 1
    except OSError as error:
        raise WriteError(f"cannot write to {folder}: {error.strerror or error}") from error


def _safe_stem(path: Path, page: int | None) -> str:
    r"""Return the name of a page, without the ending of its file, as any file system and shell can take it.

    >>> _safe_stem(Path("Café 1;rm -rf\n~.jpeg"), None), _safe_stem(Path("scan.tif"), 2)
    ('Café_1_rm_-rf', 'scan-page2')
    """
    kept = "".join(c if c.isalnum() or c in "-._" else "_" for c in path.stem)
    stem = kept[:_LONGEST_STEM].strip("._") or "photo"
    return stem if page is None else f"{stem}-page{page}"
