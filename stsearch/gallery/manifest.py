"""manifest.json: the weights that filled a gallery, the folder of its photographs, its vector file."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stsearch.errors import (
    GalleryDamagedError,
    GalleryNotFoundError,
    GalleryUnreadableError,
    NewerFormatError,
    UsageError,
)
from stsearch.gallery.atomic_files import replacing
from stsearch.objects.url import Location, located
from stsearch.types import ModelInfo

FILE_NAME = "manifest.json"
FORMAT = 1
_MAX_BYTES = 1 << 20  # it has two thousand
_VECTOR_FILE = re.compile(r"vectors-\d+\.hnsw")  # inside the folder of the gallery, and nowhere else
SPACE = "ip"  # the metric of every store: the inner product, which is the cosine of unit vectors


@dataclass(frozen=True, slots=True)
class StoreRecord:
    """The properties of a vector file, verified before it is loaded.

    Attributes:
        file: its name, inside the gallery folder.
        sha256: of the whole file.
        dim: length of its vectors.
        count: how many of them it holds.
        last_id: its highest instance id; instances with higher ones are found in the catalog alone.
        model: sha256 of the weights its vectors come from.
        generation: of the manifest it was saved for.
        space: the metric it was built for.
        tag: one of ``GalleryState.vector_tags`` of the catalog it was made from.
    """

    file: str
    sha256: str
    dim: int
    count: int
    last_id: int
    model: str
    generation: int
    space: str = SPACE
    tag: str = ""

    def misfit(self, manifest: Manifest) -> str | None:
        """Return a sentence that says why the file is not of this gallery, None when it is."""
        model = manifest.model
        for name, found, wanted in (
            ("of the metric", self.space, SPACE),
            ("of vectors of length", self.dim, model.dim),
            ("of the weights", self.model[:12], model.sha256[:12]),
            ("of generation", self.generation, manifest.generation),
        ):
            if found != wanted:
                return f"it is {name} {found}, not {wanted}"
        return None


@dataclass(frozen=True, slots=True)
class Manifest:
    """The weights of a gallery, the folder of its photographs, and its vector file.

    Attributes:
        photos: the folder of the photographs, absolute or relative to the gallery folder, or their URL.
        model: the weights that filled the gallery.
        generation: how many times the vector file was written or removed.
        store: the vector file; None without words or without hnswlib.
        engine: device, precision and library that found the newest words; empty: not known.
    """

    photos: str
    model: ModelInfo
    generation: int = 0
    store: StoreRecord | None = None
    engine: str = ""

    def location(self, folder: Path) -> Location:
        """Return where the photographs lie, given the ``folder`` of the gallery."""
        photos = located(self.photos)
        return (folder / photos).resolve() if isinstance(photos, Path) else photos

    def copy_for_catalog(self) -> str:
        """Return as JSON the part of the manifest that cannot be found out again if it is lost."""
        return json.dumps({"photos": self.photos, "model": self._body()["model"]}, sort_keys=True)

    @classmethod
    def from_copy(cls, copy: str) -> Manifest:
        """Return the manifest that ``copy`` was taken from, without its vector file.

        Raises:
            ValueError: it is no copy of a manifest.
        """
        try:
            body = json.loads(copy)
            return cls(body["photos"], ModelInfo(**body["model"]))
        except (KeyError, TypeError, RecursionError) as error:
            raise ValueError(f"the copy of the manifest is none: {error}") from error

    def is_of(self, other: Manifest) -> bool:
        """Return whether both are of the same photographs and weights."""
        return (self.photos, self.model) == (other.photos, other.model)

    def write(self, folder: Path) -> None:
        """Put the manifest into ``folder``, replacing the previous one whole.

        Raises:
            WriteError: the folder cannot be written to.
        """
        body = {"format": FORMAT, **self._body()}
        with replacing(folder / FILE_NAME) as beside:
            beside.write_text(json.dumps({**body, "checksum": _checksum(body)}, indent=2), encoding="utf-8")

    def _body(self) -> dict[str, Any]:  # Any: JSON
        body = asdict(self)
        for name in ("likelihood_weight", "calibration"):  # a search takes them from the weights
            del body["model"][name]
        return body

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Return the manifest of the gallery in ``folder``.

        Raises:
            GalleryNotFoundError: there is none.
            GalleryDamagedError: it is damaged.
            GalleryUnreadableError: it cannot be read.
            NewerFormatError: it is of a newer format.
        """
        path = folder / FILE_NAME
        try:
            body: dict[str, Any] = json.loads(_read_text(path))  # Any: JSON
            if body["format"] > FORMAT:
                raise NewerFormatError(
                    f"{path} has format {body['format']}, this version reads up to {FORMAT}: upgrade stsearch"
                )
            if body.pop("checksum") != _checksum(body):
                raise ValueError("its checksum does not match")
            store = StoreRecord(**body["store"]) if body["store"] else None
            located(body["photos"])
            model, engine = ModelInfo(**body["model"]), body.get("engine", "")
            if store and not _VECTOR_FILE.fullmatch(store.file):
                raise ValueError(f"{store.file!r} is no name of a vector file")
            return cls(body["photos"], model, body["generation"], store, engine)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise GalleryNotFoundError(
                f"no gallery in {folder}; make one with: stsearch index FOLDER"
            ) from error
        except OSError as error:
            raise GalleryUnreadableError(f"cannot read {path}: {error.strerror or error}") from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, UsageError) as error:
            raise GalleryDamagedError(
                f"{path} is damaged ({error}); remake it with: stsearch rebuild --index {folder}"
            ) from error


def _read_text(path: Path) -> str:
    """Return what is in the file at ``path``, which is no link and of a size that a manifest has."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ValueError("it is larger than any manifest")
    return content.decode("utf-8")


def _checksum(body: dict[str, Any]) -> str:  # Any: JSON
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
