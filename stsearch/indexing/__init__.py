"""From a folder of photographs to a gallery: walk, decode ahead, then skip, link or spot each file."""
