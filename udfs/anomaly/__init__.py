"""Anomaly detection against a seasonal baseline."""
