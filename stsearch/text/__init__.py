"""Strings: characters and their folding, wildcards, CTC posteriors, decoding; numpy only."""
