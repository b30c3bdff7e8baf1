"""Redis: the versioned cache that the pipeline writes through."""
