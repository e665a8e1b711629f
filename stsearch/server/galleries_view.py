"""Galleries as the page shows them: what they hold, and how far an indexing run is."""

from __future__ import annotations

from dataclasses import dataclass

from stsearch.api.status import GalleryState
from stsearch.gallery.gallery import Gallery
from stsearch.server.index_run import RunState
from stsearch.server.service import Service
from stsearch.text.counted import counted

_KINDS = ("new", "changed", "moved", "removed", "unchanged", "reread")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is computed of a gallery once after every change, as text.

    Attributes:
        folder: of its photographs.
        counts: photographs and words.
        last_run: when it was brought up to date.
        left: what is left to do.
    """

    folder: str
    counts: str
    last_run: str
    left: str


@dataclass(frozen=True, slots=True)
class GalleryView:
    """A gallery as shown.

    Attributes:
        name: in URLs.
        facts: of its content.
        run: the run that is at it; None: none.
        ended: how the last run here ended.
        has_failed: whether that did not do what it should.
    """

    name: str
    facts: Facts
    run: RunState | None
    ended: str
    has_failed: bool


async def show_galleries(service: Service, run: RunState) -> dict[str, object]:
    """Return every gallery as the page shows it, and whether a run goes on."""
    await service.refresh()
    views = []
    for name in service.library.names:
        facts = await service.of_gallery(name, _facts_of)
        is_here = run.gallery == name
        ended = _ending(run) if is_here and run.state in ("done", "failed") else ""
        at_work = run if is_here and run.state == "running" else None
        views.append(GalleryView(name, facts, at_work, ended, run.state == "failed"))
    return {"galleries": views, "is_running": run.state == "running"}


def _facts_of(gallery: Gallery) -> Facts:
    state = GalleryState.of(gallery)
    counts = f"{counted(state.counts.photos, 'photograph', form=',')}, {state.words}"
    if state.counts.failed:
        counts += f", {state.counts.failed:,} not read"
    last_run = f"{state.status.last_run:%-d %B %Y, %H:%M}" if state.status.last_run else ""
    return Facts(str(gallery.photos), counts, last_run, str(state.pending))


def _ending(run: RunState) -> str:
    if run.state == "failed":
        return run.message
    report = run.report or {}
    parts = [f"{report[kind]} {kind}" for kind in _KINDS if report.get(kind)]
    return f"Done: {', '.join(parts) or 'nothing there'}. {run.message}".strip()
