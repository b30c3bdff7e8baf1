"""What else could do the shared part of the work: decode, validate, deduplicate, sum sliding windows.

Each program reads the same events and must write the same windows; `python -m bench.peers` runs and compares them.
"""
