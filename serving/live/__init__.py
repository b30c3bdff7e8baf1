"""Live signals from Kafka, and their fan-out to watchers."""
