"""Photographs in object storage: what their URLs say, how a bucket is opened, listed and read.

Knows nothing of pictures; ``images`` decodes what comes from here, ``indexing`` decides what is read.
"""
