"""Later copies of an event that the store does not know as such.

The store keeps one row of (tenant, event time, event id), the first copy's. A copy that gives another event time, as
when a producer sends an id again with new content, has a row of its own: it is withdrawn here, and what may have been
recomputed with it is revised.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from pyflink.table import DataTypes
from pyflink.table.udf import ScalarFunction, udf

from connectors.clickhouse.copies import Copy, withdraw_copies
from connectors.clickhouse.recompute import CAMPAIGN_EVENTS, SECOND_MS
from jobs.micro_batches import SLOW_MS, micro_batches
from jobs.watermarks import passed_on
from jobs.workers import clickhouse_sink

if TYPE_CHECKING:
    import pandas as pd
    from pyflink.table import StatementSet, StreamTableEnvironment
    from pyflink.table.udf import FunctionContext

    from jobs.options import Options

LATER_COPIES = """
SELECT
    0 AS everything, arrival,
    JSON_ARRAY(
        tenant_id, event_time, event_id, version, event_type,
        JSON_ARRAY(tenant_id, campaign_id, channel, currency)
    ) AS line
FROM copies
WHERE copy > 1
"""


class WithdrawCopies(ScalarFunction):  # type: ignore[misc]
    """Vectorised: later copies in, a line each; the campaign seconds that lost one come out, an array for each text."""

    def __init__(self, options: Options) -> None:
        """Keep the options; the connection is opened in the worker."""
        self._options = options

    def open(self, function_context: FunctionContext) -> None:
        """Prepare the sink and its metric."""
        self._sink = clickhouse_sink(self._options)
        self._withdrawn = function_context.get_metric_group().counter("copies_withdrawn")

    def eval(self, lines: pd.Series) -> pd.Series:
        """Withdraw the copies of one batch."""
        import pandas as pd

        texts = [[orjson.loads(line) for line in text.split("\n")] for text in lines]
        withdrawn = withdraw_copies(self._sink, (Copy(*copy[:4]) for copies in texts for copy in copies))
        self._withdrawn.inc(len(withdrawn))
        return pd.Series([seconds_of(copies, withdrawn) for copies in texts], dtype="object")

    def is_deterministic(self) -> bool:
        """Writing is an effect: the planner must neither drop nor repeat the call."""
        return False


def seconds_of(copies: list[list[Any]], withdrawn: set[Copy]) -> list[str]:
    """Return the seconds of campaigns whose figures the withdrawn ones of `copies` were in: JSON of `campaign`
    (tenant, campaign, channel, currency) and `second` (UTC ms)."""
    lost = {
        (tuple(campaign), copy[1] - copy[1] % SECOND_MS)
        for *copy, event_type, campaign in copies
        if event_type in CAMPAIGN_EVENTS and Copy(*copy) in withdrawn
    }
    return [orjson.dumps({"campaign": campaign, "second": second}).decode() for campaign, second in sorted(lost)]


def withdraw(t_env: StreamTableEnvironment, options: Options, out: StatementSet) -> None:
    """Withdraw later copies of the view `copies`; makes the view `withdrawn_seconds` (line), see `seconds_of`."""
    t_env.create_temporary_view("later_copies", t_env.sql_query(LATER_COPIES))
    t_env.create_temporary_function(
        "withdraw_copies",
        udf(WithdrawCopies(options), result_type=DataTypes.ARRAY(DataTypes.STRING()), func_type="pandas"),
    )
    # Once a second: a look-up costs the same for one copy as for many of one time.
    lines = micro_batches(SLOW_MS, "later_copies", "everything", "line", "lines")
    # The watermark is for the revisions, which wait for it on both of their inputs.
    t_env.create_temporary_view(
        "withdrawn",
        t_env.to_data_stream(
            t_env.sql_query(f"SELECT withdraw_copies(lines) AS seconds FROM ({lines})")  # noqa: S608 - constants
        ),
        passed_on(),
    )
    t_env.create_temporary_view(
        "withdrawn_seconds", t_env.sql_query("SELECT line FROM withdrawn CROSS JOIN UNNEST(seconds) AS lost (line)")
    )
    out.add_insert_sql("INSERT INTO stored SELECT CARDINALITY(seconds) FROM withdrawn")
