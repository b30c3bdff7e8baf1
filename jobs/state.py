"""Keyed state that forgets."""

from __future__ import annotations

from datetime import timedelta

from pyflink.common import Time
from pyflink.datastream.state import StateTtlConfig

# Entries that the compaction filter handles between two looks at the clock: Flink's own default.
CLOCK_EVERY_ENTRIES = 1_000
# Java's default. PyFlink does not pass it on, but without a value it asks a gateway, which a worker has not.
PERIODIC_COMPACTION = timedelta(days=30)


def time_to_live(days: int) -> StateTtlConfig:
    """Return a configuration under which an entry is gone `days` after it was last written, and never read after that.

    Expired entries are removed when RocksDB compacts.
    """
    return (
        StateTtlConfig.new_builder(Time.days(days))
        .set_update_type(StateTtlConfig.UpdateType.OnCreateAndWrite)
        .set_state_visibility(StateTtlConfig.StateVisibility.NeverReturnExpired)
        .cleanup_in_rocksdb_compact_filter(CLOCK_EVERY_ENTRIES, PERIODIC_COMPACTION)
        # Turns off the defaults, which PyFlink cannot make in a worker; the strategy above stays.
        .disable_cleanup_in_background()
        .build()
    )
