"""A gallery in PostgreSQL, open for searching."""

from __future__ import annotations

import os
import platform
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property
from types import TracebackType
from typing import Self

from stsearch.errors import UsageError, WeightsError
from stsearch.gallery.folder_state import FolderState
from stsearch.gallery.paths import files_below
from stsearch.gallery.postgres import instances
from stsearch.gallery.postgres.candidates import find_candidates
from stsearch.gallery.postgres.database import Database
from stsearch.gallery.postgres.filters import Condition, condition_of
from stsearch.gallery.postgres.roots import Root, read_roots
from stsearch.gallery.postgres.tables import read_facts
from stsearch.gallery.protocol import EXACT_LIMIT as EXACT_LIMIT  # tests and benchmarks lower it
from stsearch.gallery.protocol import GalleryStatus
from stsearch.gallery.records import (
    Counts,
    Detail,
    Failed,
    Incomplete,
    InstanceTable,
    PhotoFile,
    Reading,
)
from stsearch.gallery.request import CandidateRequest, PhotoChoice
from stsearch.gallery.rereads import Reason
from stsearch.objects.url import Location
from stsearch.types import ModelInfo, TextInstance

_TABLES = ("contents", "files", "words", "word_details", "tasks")


class PostgresGallery:
    """All photographs of a gallery, or those of one of its folders; a ``protocol.Gallery``."""

    def __init__(self, database: Database, root: Root | None = None) -> None:
        """Take an open gallery.

        Args:
            database: with its tables.
            root: the folder whose photographs are meant; None: all.
        """
        self._database = database
        self._root = root
        self._all_instances: tuple[object, InstanceTable] | None = None  # and the version they are of

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._database.close()

    @property
    def name(self) -> str:
        """What ``--index`` calls it; without any password."""
        return str(self._database.url)

    @property
    def roots(self) -> tuple[Location, ...]:
        """The folders of its photographs."""
        return tuple(self._roots().values())

    @cached_property
    def model(self) -> ModelInfo:
        """The weights that filled it."""
        return read_facts(self._database).model

    def check_model(self, model: ModelInfo) -> None:
        """Raise a ``WeightsError`` unless ``model`` filled the gallery: other embeddings do not compare."""
        if model.sha256 != self.model.sha256:
            made, given = (f"{each.name} (sha256 {each.sha256[:12]})" for each in (self.model, model))
            raise WeightsError(
                f"{self.name} was made with the weights {made}, these are {given}: give those with --model,"
                f" or read its photos anew with: {self.index_command()} --reread"
            )

    def index_command(self) -> str:
        """Return the command that brings it up to date."""
        folders = [str(root) for root in self.roots]
        folder = folders[0] if len(folders) == 1 else "FOLDER"
        return f"stsearch index {shlex.quote(folder)} --index {shlex.quote(self.name)}"

    def status(self) -> GalleryStatus:
        """Return its size, and how it was made."""
        facts = read_facts(self._database)
        sizes = " + ".join(f"pg_total_relation_size('{table}')" for table in _TABLES)
        where, values = self._of_root("id")
        [(size_bytes, last_run, workers)] = self._database.rows(
            f"SELECT {sizes}, (SELECT max(last_run) FROM roots WHERE {where}),"
            " (SELECT count(*) FROM workers WHERE lease_until > now())",
            *values,
        )
        return GalleryStatus(
            size_bytes,
            last_run and last_run.astimezone().replace(tzinfo=None),
            facts.engine,
            {"postgresql": facts.version},
            {"kind": "pgvector", "vectors": self.instance_count(), "workers": workers},
        )

    def remark(self) -> str | None:
        """Return in one sentence what makes searching it slow, None where nothing does."""
        if self._database.value("SELECT to_regclass('words_vector') IS NULL"):
            return (
                "the index of the words is missing, so that searches are slow: remake it with: stsearch"
                f" rebuild --index {self.name}"
            )
        return None

    def counts(self) -> Counts:
        """Return the numbers of photographs, failed files and instances."""
        where, values = self._of_root("root")
        [(photos, failed)] = self._database.rows(
            f"SELECT count(content), count(*) FILTER (WHERE content IS NULL) FROM files WHERE {where}",
            *values,
        )
        return Counts(photos, failed, self.instance_count(), len(self.incomplete()))

    def instance_count(self) -> int:
        """Return the number of instances, of a folder alone too: contents belong to all."""
        return int(self._database.value("SELECT count(*) FROM words"))

    def folder_state(self) -> FolderState:
        """Return what the last indexing runs saw, and how many files were found that wait for one."""
        where, values = self._of_root("id")
        passed_over: dict[str, int] = {}
        for (counts,) in self._database.rows(f"SELECT passed_over FROM roots WHERE {where}", *values):
            for ending, number in counts.items():
                passed_over[ending] = passed_over.get(ending, 0) + number
        devices: dict[str, int] = {}
        if self._root is not None:
            for (numbers,) in self._database.rows(
                "SELECT numbers FROM devices WHERE root = %s AND host = %s",
                self._root.number,
                platform.node(),
            ):
                devices = numbers
        where, values = self._of_root("root")
        waiting = self._database.value(f"SELECT count(*) FROM tasks WHERE {where}", *values)
        if waiting:
            waiting += self._database.value(
                "SELECT count(*) FROM files"
                f" WHERE {where} AND (root, path) NOT IN (SELECT root, path FROM tasks)",
                *values,
            )
        return FolderState(passed_over, devices, waiting)

    def reread_counts(self) -> Mapping[Reason, int]:
        """Return how many contents wait for being read again, by the reasons that there are."""
        return dict(
            self._database.rows(
                "SELECT reread, count(*) FROM contents WHERE reread IS NOT NULL GROUP BY reread"
            )
        )

    def failures(self) -> list[Failed]:
        """Return the files that could not be read, by path."""
        where, values = self._of_root("root")
        rows = self._database.rows(
            "SELECT root, path, size, mtime_ns, stamp, reason FROM files"
            f" WHERE content IS NULL AND {where} ORDER BY root, path",
            *values,
        )
        roots = self._roots()
        return [
            Failed(self._file(roots, root, PhotoFile(os.fsdecode(path), *state)), reason)
            for root, path, *state, reason in rows
        ]

    def incomplete(self) -> list[Incomplete]:
        """Return the photographs of which only a part could be read, by path."""
        where, values = self._of_root("root")
        rows = self._database.rows(
            "SELECT root, path, size, mtime_ns, stamp, note FROM files JOIN contents ON contents.id = content"
            f" WHERE note IS NOT NULL AND {where} ORDER BY root, path",
            *values,
        )
        roots = self._roots()
        return [
            Incomplete(self._file(roots, root, PhotoFile(os.fsdecode(path), *state)), note)
            for root, path, *state, note in rows
        ]

    def instances(self) -> InstanceTable:
        """Return all text instances; kept until there are others."""
        version = self._version()
        if self._all_instances is None or self._all_instances[0] != version:
            table = instances.read_table(self._database, self.model.dim, Condition())
            self._all_instances = version, table
        return self._all_instances[1]

    def candidates(self, request: CandidateRequest) -> InstanceTable:
        """Return the instances to score for a query; all of them in a gallery of up to ``EXACT_LIMIT``."""
        is_small = self._has_at_most(EXACT_LIMIT, Condition())
        if request.photos is None:
            if is_small or request.is_exhaustive:
                return self.instances()
            condition = Condition()
        else:
            condition = condition_of(request.photos, self._roots()).of_words
            if is_small or request.is_exhaustive or self._has_at_most(EXACT_LIMIT, condition):
                return instances.read_table(self._database, self.model.dim, condition)
        found = find_candidates(self._database, request, condition)
        return instances.read_table(self._database, self.model.dim, found)

    def contents_reading(self, words: Iterable[str]) -> dict[str, list[int]]:
        """Return, for each of ``words`` that is a folded transcript, the contents with such an instance."""
        return dict(
            self._database.rows(
                "SELECT folded, array_agg(DISTINCT content) FROM words WHERE folded = ANY(%s)"
                " GROUP BY folded",
                list(words),
            )
        )

    def ids_in(self, contents: Iterable[int]) -> list[int]:
        """Return the ids of the instances of ``contents``."""
        rows = self._database.rows("SELECT id FROM words WHERE content = ANY(%s)", list(contents))
        return [number for (number,) in rows]

    def transcripts_with(self, word: str) -> dict[int, str]:
        """Return the transcripts in which punctuation or a stroke divides ``word`` from the rest."""
        return dict(
            self._database.rows(
                "SELECT id, transcript FROM words WHERE folded LIKE %s AND folded != %s"
                " AND (transcript ~ '[^a-zA-Z0-9]' OR folded ~ %s)",
                f"%{word}%",
                word,
                f"^{word}[il1]|[il1]{word}$",
            )
        )

    def details_of(self, ids: Iterable[int]) -> dict[int, Detail]:
        """Return the details of each of the instances ``ids``; one that was just removed has no entry."""
        return instances.read_details(self._database, ids)

    def readings_of(self, contents: Iterable[int]) -> dict[int, list[Reading]]:
        """Return the readings of all instances in each of ``contents``, as they were added."""
        return instances.read_readings(self._database, contents)

    def text_instances_of(self, contents: Iterable[int]) -> dict[int, list[TextInstance]]:
        """Return all instances of each of ``contents`` without their CTC posteriors, as they were added."""
        return instances.read_text_instances(self._database, self.model.dim, contents)

    def photos_of(
        self, contents: Iterable[int], choice: PhotoChoice | None = None
    ) -> dict[int, list[Location]]:
        """Return the paths of the photographs with each of ``contents``; identical files share one."""
        roots = self._roots()
        condition = condition_of(choice, roots)
        found: dict[int, list[Location]] = {}
        for root, path, content in self._database.rows(
            f"SELECT root, path, content FROM files f WHERE content = ANY(%s) AND {condition.sql}"
            " ORDER BY root, path",
            list(contents),
            *condition.values,
        ):
            found.setdefault(content, []).append(roots[root] / os.fsdecode(path))
        return found

    def all_photos(self, choice: PhotoChoice | None = None) -> list[tuple[Location, int]]:
        """Return every photograph that was read, if ``choice`` admits it, with its content; by path."""
        roots = self._roots()
        condition = condition_of(choice, roots)
        rows = self._database.rows(
            f"SELECT root, path, content FROM files f WHERE {condition.sql} ORDER BY root, path",
            *condition.values,
        )
        return [(roots[root] / os.fsdecode(path), content) for root, path, content in rows]

    def sample_contents(self, count: int) -> list[int]:
        """Return the contents of every n-th photograph, ``count`` or fewer of them; of all if not more."""
        photos = self._database.value("SELECT count(content) FROM files")
        rows = self._database.rows(
            "SELECT content FROM (SELECT content, row_number() OVER (ORDER BY root, path) AS number"
            " FROM files WHERE content IS NOT NULL) numbered WHERE (number - 1) %% %s = 0 ORDER BY number",
            -(-photos // count) or 1,
        )
        return [content for (content,) in rows]

    def paths_below(self, path: Location) -> list[Location]:
        """Return the files, readable or not, that ``path`` is, or that lie in it; UsageError if none do."""
        found: list[Location] = []
        for number, root in self._roots().items():
            rows = self._database.rows("SELECT path FROM files WHERE root = %s ORDER BY path", number)
            try:
                names = files_below(path, root, [os.fsdecode(name) for (name,) in rows])
            except UsageError:
                continue
            found += [root / name for name in names]
        if not found:
            raise UsageError(f"{path} is not in the gallery {self.name}")
        return found

    def _roots(self) -> dict[int, Location]:
        if self._root is not None:
            return {self._root.number: self._root.path}
        return read_roots(self._database)

    def _of_root(self, column: str) -> tuple[str, tuple[object, ...]]:
        """Return the condition that ``column`` is the folder whose photographs are meant, and its values."""
        return ("true", ()) if self._root is None else (f"{column} = %s", (self._root.number,))

    def _file(self, roots: Mapping[int, Location], root: int, file: PhotoFile) -> PhotoFile:
        """Return ``file``; of one of several folders with its whole path."""
        return file if len(roots) == 1 else replace(file, path=str(roots[root] / file.path))

    def _has_at_most(self, limit: int, condition: Condition) -> bool:
        """Return whether so many words, or fewer, meet ``condition``; more are not counted."""
        return bool(
            self._database.value(
                f"SELECT count(*) <= %s FROM (SELECT FROM words WHERE {condition.sql} LIMIT %s) few",
                limit,
                *condition.values,
                limit + 1,
            )
        )

    def _version(self) -> object:
        """Return what changes when words come, go, or are of other weights: no id is used twice."""
        return self._database.rows("SELECT count(*), sum(id), (SELECT model_sha256 FROM gallery) FROM words")
