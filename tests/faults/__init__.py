"""Faults put into the real stack on purpose, seeded, and judged by the oracle: `python -m tests.faults --help`."""
