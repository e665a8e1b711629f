"""Galleries in PostgreSQL with pgvector, which any number of machines may read and write at a time."""
