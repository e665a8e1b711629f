"""Street View Text in XML, and galleries of photographs with a file of queries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from stsearch.dataclass_io import parse_json
from stsearch.datasets.labelled_folder import read_text, read_unlabelled
from stsearch.datasets.layout import check_present
from stsearch.datasets.npy_lists import read_pickled_lists
from stsearch.datasets.stored_labels import display_labels
from stsearch.errors import DataError
from stsearch.geometry.polygons import box
from stsearch.types import Sample, WordLabel


def read_svt(parts: Sequence[Path]) -> list[Sample]:
    """Read ``test.xml`` of Street View Text: only words of a lexicon are boxed.

    Args:
        parts: the file, folder of photographs.

    Raises:
        DataError: A photograph is missing, or the file is malformed.
    """
    path, folder = parts
    try:
        images = list(ElementTree.parse(path).getroot().iter("image"))
        words = {_field(image, "imageName"): tuple(map(_word, _tagged(image))) for image in images}
    except (OSError, ElementTree.ParseError, KeyError, ValueError) as error:
        raise DataError(f"{path}: {error}") from error
    present = {photo.name: photo for photo in read_unlabelled(folder)}
    names = {name: name.rpartition("/")[2] for name in words}
    check_present(names.values(), present, path)
    return [
        display_labels(present[names[name]], labels, partial=True, boxes=True)
        for name, labels in words.items()
    ]


def read_gallery(parts: Sequence[Path]) -> list[Sample]:
    """Read a gallery that comes with queries; its photographs carry no labels.

    Args:
        parts: file of queries, folder of photographs.

    Raises:
        DataError: There is no photograph.
    """
    return [Sample(photo, (), partial=True) for photo in read_unlabelled(parts[1])]


def read_query_lists(path: Path) -> dict[str, list[str]]:
    """Read ``{query: [file name, ...]}`` in JSON, or as ``numpy.save`` writes it.

    Raises:
        DataError: The file holds something else.
    """
    try:
        if path.suffix == ".npy":
            return read_pickled_lists(path)
        listed = parse_json(read_text(path))
        if not isinstance(listed, dict) or not all(isinstance(names, list) for names in listed.values()):
            raise ValueError("not an object of lists")
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: {error}") from error
    return {str(query): [str(name) for name in names] for query, names in listed.items()}


def _tagged(image: ElementTree.Element) -> list[ElementTree.Element]:
    return list(image.iter("taggedRectangle"))


def _word(tagged: ElementTree.Element) -> WordLabel:
    x, y, width, height = (float(tagged.attrib[name]) for name in ("x", "y", "width", "height"))
    return WordLabel(box(x, y, x + width, y + height), _field(tagged, "tag"), legible=True)


def _field(element: ElementTree.Element, name: str) -> str:
    text = element.findtext(name)
    if not text:
        raise ValueError(f"<{element.tag}> without a <{name}>")
    return text.strip()
