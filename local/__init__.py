"""The local stack: the pipeline's real components as processes of one machine."""
