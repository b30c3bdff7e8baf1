"""How many copies of a keyed Python function run."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyflink.datastream import DataStream

    from jobs.options import Options


def keyed(stream: DataStream, options: Options) -> DataStream:
    """Return `stream`, the result of a keyed Python function, with the parallelism of the options.

    All copies in one TaskManager share its interpreter lock: a second one there does no work of its own, while what
    follows writes twice as many batches of half the size. SQL functions after it take its parallelism over.
    """
    return stream.set_parallelism(options.keyed_parallelism) if options.keyed_parallelism else stream
