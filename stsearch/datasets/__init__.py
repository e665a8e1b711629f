"""Readers of labelled sets, one a public format; what is asked of a set is in ``evaluation``."""
