"""Readers of labelled sets, one for each format; queries and protocols are in ``evaluation``."""
