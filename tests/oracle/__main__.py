"""`python -m tests.oracle RECORD_FILE... [--clickhouse HOST:PORT --database NAME]`: the answer, or the comparison
with it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

import clickhouse_connect

from tests.oracle.answer import Answer
from tests.oracle.comparison import TABLES, compare
from tests.oracle.settings import read_rules


def main() -> int:
    """Return 0 when all agrees, 1 when something differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, help="record files in the order of production")
    parser.add_argument(
        "--clickhouse", metavar="HOST:PORT", help="compare with this server; without it print the totals"
    )
    parser.add_argument("--database", default="default")
    parser.add_argument("--tables", nargs="+", default=TABLES, choices=TABLES)
    parser.add_argument("--settings", type=Path, help="file of the tenants' attribution settings, a record a line")
    parser.add_argument("--identity", action="store_true", help="the job ran with the stage identity")
    parser.add_argument("--tenants", nargs="+", default=(), help="compare the rows of these tenants only")
    asked = parser.parse_args()
    if not asked.clickhouse:
        print(json.dumps(totals(asked.files), indent=2))
        return 0
    host, _, port = asked.clickhouse.rpartition(":")
    client = clickhouse_connect.get_client(host=host, port=int(port), database=asked.database)
    try:
        differences = compare(
            client,
            asked.database,
            *asked.files,
            tables=asked.tables,
            tenants=asked.tenants,
            identity=asked.identity,
            settings=read_rules(asked.settings) if asked.settings else None,
        )
    finally:
        client.close()
    for difference in differences:
        print(difference)
    print(f"{len(differences)} of {len(asked.tables)} tables differ")
    return 1 if differences else 0


def totals(files: list[Path]) -> dict[str, object]:
    """What should be there, in numbers: messages by outcome, rows by table."""
    with Answer(*files) as answer:
        outcomes: Counter[str] = Counter()
        for (_, outcome, _), number in answer.counts().items():
            outcomes[outcome] += number
        tables = ("campaign_metrics", "campaign_rollups", "campaigns", "journeys")
        rows = {table: answer.rows(f"SELECT count(*) FROM {table}")[0][0] for table in tables}
        return {"messages": dict(outcomes), "rows": rows, "conversions": sum(1 for _ in answer.conversions())}


if __name__ == "__main__":
    sys.exit(main())
