"""Word recognition benchmarks: LMDB databases of word crops with labels, in the format of PARSeq."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stsearch.datasets.layout import Layout, Part
from stsearch.errors import DataError

if TYPE_CHECKING:
    import lmdb

DATABASE = "data.mdb"

WORD_SETS: Mapping[str, int] = {
    "IIIT5k": 3_000,
    "SVT": 647,
    "IC13_857": 857,
    "IC13_1015": 1_015,
    "IC15_1811": 1_811,
    "IC15_2077": 2_077,
    "SVTP": 645,
    "CUTE80": 288,
    "COCOv1.4": 9_825,
    "ArT": 35_149,
    "Uber": 80_551,
}
"""Each test set, by the name of its folder, with the number of words that papers report."""

LAYOUT = Layout(
    tuple(Part("word crops", (f"{name}/{DATABASE}",)) for name in WORD_SETS),
    "https://github.com/baudm/parseq (Datasets.md, test sets)",
)


@dataclass(frozen=True, slots=True)
class WordSet:
    """One database of word crops.

    Attributes:
        name: of its folder.
        folder: holds ``data.mdb``.
    """

    name: str
    folder: Path

    def read(self) -> Iterator[tuple[bytes, str]]:
        """Yield each crop, an encoded picture, with its word.

        The keys are ``num-samples`` and, from 1, ``image-000000001`` and ``label-000000001``.

        Raises:
            DataError: It is no such database, or the package that reads it is not installed.
        """
        try:
            import lmdb
        except ImportError as error:
            raise DataError(
                f"{self.folder} is an LMDB database: pip install 'stsearch[benchmarks]' to read it"
            ) from error
        try:
            with (
                lmdb.open(str(self.folder), readonly=True, lock=False, create=False) as database,
                database.begin() as transaction,
            ):
                for number in range(1, int(self._value(transaction, "num-samples")) + 1):
                    word = self._value(transaction, f"label-{number:09d}").decode("utf-8")
                    yield self._value(transaction, f"image-{number:09d}"), word
        except (lmdb.Error, ValueError) as error:
            raise DataError(f"{self.folder}: {error}") from error

    def _value(self, transaction: lmdb.Transaction, key: str) -> bytes:
        value = transaction.get(key.encode())
        if value is None:
            raise DataError(f"{self.folder}: no {key}")
        return bytes(value)


def find_word_sets(folders: Sequence[Path]) -> list[WordSet]:
    """Return the databases in ``folders``: each is one, or holds all of ``WORD_SETS``.

    Raises:
        DataError: One is missing; the message names all that are.
    """
    found = []
    for folder in folders:
        if (folder / DATABASE).is_file():
            found.append(WordSet(folder.resolve().name, folder))
        else:
            parts = LAYOUT.locate("str (name single sets with --data to measure fewer)", folder)
            found += [WordSet(path.parent.name, path.parent) for path in parts]
    return found
