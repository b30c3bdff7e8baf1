"""What the process measures of the pipeline and of itself."""
