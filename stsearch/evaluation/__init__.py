"""Benchmarks: query rules, predictions, metrics, baselines and reports."""
