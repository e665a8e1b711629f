"""A small ray tracer for scenes with one sign each, lit and photographed as in the street."""
