"""A gallery on disk: the catalog is the truth, the vector store a cache, the manifest names the model."""
