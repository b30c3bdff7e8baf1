"""A command-line client of the serving process, for trying calls and for scripts."""
