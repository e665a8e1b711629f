"""What is true of a whole gallery: a table of the catalog, of texts by their names."""

from __future__ import annotations

from collections.abc import Iterable

from stsearch.gallery.database import Database
from stsearch.gallery.folder_state import FolderState
from stsearch.gallery.manifest import Manifest

_FORGETTING, _VECTOR_TAGS, _FOLDER, _FORMER = "forgetting", "vector tags", "folder", "former manifest"


class GalleryState:
    """What a catalog remembers of its gallery; a change is a transaction, or a part of the open one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def is_forgetting(self) -> bool:
        """Whether bytes of what was to be forgotten may still be in a file: it was interrupted."""
        return self._value(_FORGETTING) is not None

    def begin_forgetting(self) -> None:
        """Remember, in the transaction that removes records, that no byte of them may stay."""
        self._set(_FORGETTING, "not done yet")

    def end_forgetting(self) -> None:
        """Remember that nothing is left of what was to be forgotten."""
        self._set(_FORGETTING, None)

    def vector_tags(self) -> list[str]:
        """Return the tags of the vector files that were made from this catalog and may be in use.

        A catalog that was restored from a backup has other tags than the vector file beside it.
        """
        return (self._value(_VECTOR_TAGS) or "").split(" ")

    def set_vector_tags(self, tags: Iterable[str]) -> None:
        """Replace the tags of the vector files that belong to this catalog."""
        self._set(_VECTOR_TAGS, " ".join(tags))

    def folder(self) -> FolderState:
        """Return what the last indexing run saw of the folder; nothing before the first."""
        text = self._value(_FOLDER)
        return FolderState() if text is None else self._database.checked(FolderState.from_json, text)

    def set_folder(self, state: FolderState) -> None:
        """Store what an indexing run saw, if that is not what the run before saw."""
        if state != self.folder():
            self._set(_FOLDER, state.to_json())

    def former_manifest(self) -> Manifest | None:
        """Return what the catalog had as a copy of the manifest before; None where it never had another.

        A manifest that still says so was to be replaced when the process ended.
        """
        text = self._value(_FORMER)
        return None if text is None else self._database.checked(Manifest.from_copy, text)

    def set_former_manifest(self, manifest: Manifest) -> None:
        """Remember what the copy of the manifest is replaced for."""
        self._set(_FORMER, manifest.copy_for_catalog())

    def _value(self, name: str) -> str | None:
        for _, value in self._database.among("state", "name", [name]):
            return str(value)
        return None

    def _set(self, name: str, value: str | None) -> None:
        with self._database.transaction():
            self._database.execute("DELETE FROM state WHERE name = ?", (name,))
            if value is not None:
                self._database.insert("state", [(name, value)])
