"""The scenes by the names of their photographs."""

from __future__ import annotations

from collections.abc import Callable

from numpy.random import Generator

from scenery.outdoors import harbour, rose_garden
from scenery.shops import bakery, chalkboard, garden_cafe
from scenery.view import Fonts, View
from scenery.walls import hotel, old_books, street_name

SCENES: dict[str, Callable[[Generator, Fonts], View]] = {
    "street-name": street_name,
    "rose-garden": rose_garden,
    "garden-cafe": garden_cafe,
    "bakery": bakery,
    "chalkboard": chalkboard,
    "hotel": hotel,
    "harbour-bridge": harbour,
    "old-books": old_books,
}
