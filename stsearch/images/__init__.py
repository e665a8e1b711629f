"""Photographs into arrays: what a file is, its pages, its displayed pixels, and the size it is looked at."""

from stsearch.images.decoder import MAX_MEGAPIXELS, Decoded, decode_image, list_pages, read_image
from stsearch.images.files import MAX_BYTES
from stsearch.images.formats import install_hint, is_picture
from stsearch.images.orientation import StoredFrame, read_stored_frame
from stsearch.images.resizing import Resize, ResizePlan, window_side

__all__ = [
    "MAX_BYTES",
    "MAX_MEGAPIXELS",
    "Decoded",
    "Resize",
    "ResizePlan",
    "StoredFrame",
    "decode_image",
    "install_hint",
    "is_picture",
    "list_pages",
    "read_image",
    "read_stored_frame",
    "window_side",
]
