"""Loads, measurements and faults: everything that drives the system from outside."""
