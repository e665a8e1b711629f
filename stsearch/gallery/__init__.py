"""A gallery on disk: the catalog holds everything, the vector store can be rebuilt from it."""
