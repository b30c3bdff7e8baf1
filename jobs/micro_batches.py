"""Facts handed to a keyed Python function together: crossing from the JVM costs more than the work on one fact."""

SLOW_MS = 1_000  # for figures that may be a second old


def micro_batches(interval_ms: int, view: str, key: str, fact: str, lines: str) -> str:
    """Return the query of (`key`, `lines`): the facts of one key that arrived in one interval, a line each.

    `view` has the columns `key`, `fact` (a text without line ends) and `arrival`. All names are the caller's constants.
    """
    interval = f"INTERVAL '{interval_ms / 1000:.3f}' SECOND"
    return f"""
            SELECT {key}, LISTAGG({fact}, '\n') AS {lines}
            FROM TABLE(TUMBLE(TABLE {view}, DESCRIPTOR(arrival), {interval}))
            GROUP BY {key}, window_start, window_end
            """  # noqa: S608 - a validated number and constants
