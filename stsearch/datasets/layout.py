"""Layouts of benchmarks on disk, and errors that name missing files. Downloads nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stsearch.datasets.labelled_folder import parse_labelled_folder, read_unlabelled
from stsearch.datasets.stored_labels import display_labels
from stsearch.errors import DataError
from stsearch.types import Sample, WordLabel

NAMED = 5
"""At most this many missing photographs are named."""


@dataclass(frozen=True, slots=True)
class Part:
    """A file or a folder of a benchmark.

    Attributes:
        what: its content.
        names: of it relative to the copy; the first is the published one.
    """

    what: str
    names: tuple[str, ...]

    def find(self, folder: Path) -> Path | None:
        """Return where it is in the copy ``folder``; None when it is not there."""
        return next((folder / name for name in self.names if (folder / name).exists()), None)


@dataclass(frozen=True, slots=True)
class Layout:
    """The files and folders of a copy of a benchmark.

    Attributes:
        parts: all required, in the order in which readers take them.
        published: where the owners publish it.
    """

    parts: tuple[Part, ...]
    published: str

    def locate(self, name: str, folder: Path) -> list[Path]:
        """Return where each part is.

        Args:
            name: of the benchmark, for the message.
            folder: the copy.

        Raises:
            DataError: There is no such folder, or a part is missing; the message names all that are.
        """
        if not folder.is_dir():
            raise DataError(f"no folder {folder}")
        found = [part.find(folder) for part in self.parts]
        missing = [
            f"{' or '.join(part.names)} ({part.what})"
            for part, path in zip(self.parts, found, strict=True)
            if path is None
        ]
        if missing:
            raise DataError(
                f"{folder} is no whole copy of {name}: there is no {', no '.join(missing)}."
                f" Its owners publish it at {self.published}; stsearch downloads nothing"
            )
        return [path for path in found if path is not None]


@dataclass(frozen=True, slots=True)
class HouseLayout(Layout):
    """A folder in the house format; its name may say how far its labels can be trusted."""

    parts: tuple[Part, ...] = ()
    published: str = ""

    def locate(self, name: str, folder: Path) -> list[Path]:
        """Return ``folder`` as it is named, which ``read_dataset`` takes.

        Raises:
            DataError: There is no such folder, or its name ends in something else than a trust in labels.
        """
        path = parse_labelled_folder(folder).path
        if not path.is_dir():
            raise DataError(f"no folder {path}")
        return [folder]


def photos_by_stem(folder: Path) -> dict[str, Path]:
    """Return the photographs in ``folder`` and below by their names without ending.

    Raises:
        DataError: It holds none.
    """
    return {photo.stem: photo for photo in read_unlabelled(folder)}


def read_label_files(
    parts: Sequence[Path],
    pattern: str,
    photo_of: Callable[[str], str],
    parse: Callable[[Path], Iterable[WordLabel]],
    boxes: bool = False,
) -> list[Sample]:
    """Read a folder of labels in stored pixels, a file a photograph, into the displayed frame.

    Args:
        parts: folder of labels, folder of photographs.
        pattern: of the names of the files.
        photo_of: names the photograph of a file, both without ending.
        parse: reads a file.
        boxes: whether its polygons are quads that do not say where reading starts.

    Raises:
        DataError: A photograph or all labels are missing, or ``parse`` raised it.
    """
    folder, photos = parts
    labels = {photo_of(path.stem): path for path in sorted(folder.glob(pattern))}
    if not labels:
        raise DataError(f"{folder} holds no labels ({pattern})")
    present = photos_by_stem(photos)
    check_present(labels, present, folder)
    return [display_labels(present[stem], parse(path), boxes=boxes) for stem, path in labels.items()]


def check_present(wanted: Iterable[str], present: Mapping[str, Path], labels: Path) -> None:
    """Check that every photograph that ``labels`` name exists: figures of a part do not compare.

    Raises:
        DataError: One is not there.
    """
    missing = sorted(set(wanted) - set(present))
    if missing:
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        raise DataError(f"{labels} names photographs that are not there: {', '.join(missing[:NAMED])}{more}")
