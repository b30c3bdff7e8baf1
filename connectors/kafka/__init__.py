"""Kafka: the event codec and the batch decoder."""
