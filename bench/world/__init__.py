"""A marketing world: tenants, campaigns, customers and journeys that send events, with faults on demand.

The same seed and options give the same records (`--clock live` gives them the times of the run). The world is built
once as a *lap* of messages and then sent lap after lap: each lap has its own customers, journeys and flights, so
nothing repeats.
"""
