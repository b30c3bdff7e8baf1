"""The ClickHouse engine of the local stack: chDB in this process, behind ClickHouse's HTTP interface.

`python -m local.clickhouse --path DIR --port N` serves one data directory.
What it can and cannot do: docs/adr/0003-clickhouse-front.md.
"""
