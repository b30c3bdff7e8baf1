"""An independent batch computation of everything the pipeline stores, and the comparison with what it has stored.

It reads record files of the world (`bench/world/record_file.py`) with DuckDB and plain Python and shares no code with
the pipeline: every rule below is written anew from `docs/data-contract.md`. Use `compare`, or `python -m tests.oracle
--help`.
"""

from tests.oracle.answer import Answer
from tests.oracle.comparison import Difference, compare

__all__ = ["Answer", "Difference", "compare"]
