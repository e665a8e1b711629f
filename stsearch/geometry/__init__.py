"""Polygons, quads, boxes and the rectangles that words are read in; no configuration, no networks."""
