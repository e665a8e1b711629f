"""Contact sheets: many labelled pictures in one, for visual checks against real photographs."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from stsearch.errors import UsageError
from stsearch.types import Image, Scene

_CELL_WIDTH = 400  # pixels; wide enough to read a transcript of 20 characters
_LEGIBLE = (0, 220, 0)
_DONT_CARE = (230, 30, 30)


def make_contact_sheet(scenes: Sequence[Scene], columns: int) -> Image:
    """Return ``scenes`` in rows of ``columns``: readable words green with their transcript, others red.

    Raises:
        UsageError: there is no scene, or ``columns`` is below 1.
    """
    if not scenes or columns < 1:
        raise UsageError(
            f"a contact sheet needs scenes and columns, not {len(scenes)} scenes in {columns} columns"
        )
    cells = [_draw_cell(scene) for scene in scenes]
    row_height = max(cell.shape[0] for cell in cells)
    rows = -(-len(cells) // columns)
    sheet = np.full((rows * row_height, min(columns, len(cells)) * _CELL_WIDTH, 3), 255, np.uint8)
    for number, cell in enumerate(cells):
        y, x = number // columns * row_height, number % columns * _CELL_WIDTH
        sheet[y : y + cell.shape[0], x : x + _CELL_WIDTH] = cell
    return sheet


def _draw_cell(scene: Scene) -> Image:
    height, width = scene.image.shape[:2]
    scale = _CELL_WIDTH / width
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    cell = np.asarray(
        cv2.resize(scene.image, (_CELL_WIDTH, max(1, round(height * scale))), interpolation=interpolation),
        np.uint8,
    )
    for word in scene.words:
        corners = np.round(word.polygon * scale).astype(np.int32)
        colour = _LEGIBLE if word.legible else _DONT_CARE
        cv2.polylines(cell, [corners], True, colour, 1, cv2.LINE_AA)
        cv2.circle(cell, (int(corners[0, 0]), int(corners[0, 1])), 2, colour, -1)
        if word.legible:
            place = (max(0, int(corners[0, 0])), max(8, int(corners[0, 1]) - 2))
            cv2.putText(cell, word.transcript, place, cv2.FONT_HERSHEY_PLAIN, 0.7, colour, 1, cv2.LINE_AA)
    return cell
