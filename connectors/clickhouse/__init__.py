"""ClickHouse: the client, the schema and its migrations, and the sinks of the pipeline."""
