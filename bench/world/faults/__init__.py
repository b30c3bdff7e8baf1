"""What can go wrong with events, on demand."""
