"""``stsearch serve`` and ``stsearch mcp``: open galleries, kept warm, for browsers, programs and agents.

One thread holds the galleries (``library``), another the network of queries by image, some decode pictures;
the event loop only waits. What is answered is what the command line prints, made by the same functions.
"""
