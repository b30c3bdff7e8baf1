"""The outside of the system: Kafka, schema registry, ClickHouse, Redis, platforms."""
