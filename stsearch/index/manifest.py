"""manifest.json: which model filled a gallery, where its photographs lie, what its store must be."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stsearch.errors import GalleryDamagedError, GalleryNotFoundError
from stsearch.index.files import replacing
from stsearch.types import ModelInfo

FILE_NAME = "manifest.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class StoreRecord:
    """What must hold before the file of a vector store may be loaded.

    Attributes:
        file: its name, inside the gallery folder.
        sha256: of the whole file.
        dim: length of its vectors.
        count: how many of them it holds.
        last_id: the highest instance id it has seen; newer instances are looked for in the catalog.
    """

    file: str
    sha256: str
    dim: int
    count: int
    last_id: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """The head of a gallery.

    Attributes:
        photos: the folder of the photographs: absolute, or relative to the gallery folder.
        model: the weights that filled the gallery.
        generation: how many times an indexing run was finished.
        store: the saved vector store, None while the gallery is small enough to be searched exactly.
    """

    photos: str
    model: ModelInfo
    generation: int = 0
    store: StoreRecord | None = None

    def write(self, folder: Path) -> None:
        """Put the manifest into ``folder``, replacing the previous one whole.

        Raises:
            WriteError: the folder cannot be written to.
        """
        body = {"format": FORMAT, **asdict(self)}
        with replacing(folder / FILE_NAME) as beside:
            beside.write_text(json.dumps({**body, "checksum": _checksum(body)}, indent=2), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Return the manifest of the gallery in ``folder``.

        Raises:
            GalleryNotFoundError: there is none.
            GalleryDamagedError: it is damaged, or of a newer format.
        """
        path = folder / FILE_NAME
        try:
            body: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))  # Any: JSON
            if body["format"] > FORMAT:
                raise GalleryDamagedError(
                    f"{path} has format {body['format']}, this version reads up to {FORMAT}: upgrade stsearch"
                )
            if body.pop("checksum") != _checksum(body):
                raise ValueError("its checksum does not match")
            store = StoreRecord(**body["store"]) if body["store"] else None
            return cls(body["photos"], ModelInfo(**body["model"]), body["generation"], store)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise GalleryNotFoundError(
                f"no gallery in {folder}; make one with: stsearch index FOLDER"
            ) from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise GalleryDamagedError(
                f"{path} is damaged ({error}); delete {folder} and index again"
            ) from error


def _checksum(body: dict[str, Any]) -> str:  # Any: JSON
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
