"""Journeys as those of persons: rows of `journeys`, which are kept by customer, read together with who is who now.

A merge or split of persons is one row of `person_customers`, and with it every journey moves at once, for all readers;
nothing is rewritten. Where several customers of a person have a journey of one id it is one journey: its counts are
added up (no event is in two of the rows), the newest event says the stage and the customer, the newest row with a
conversion the currency, and its value is what was converted in that currency.
"""

from __future__ import annotations

_PLAIN = ("journey_id", "started_at", "last_event_at", "touchpoints", "conversions", "value_micros", "revision")

# Whoever was merged or split has a row, and whoever they were merged with is named there.
_LINKED = """
SELECT arrayJoin([customer_id, person_id]) FROM person_customers FINAL WHERE tenant_id = {tenant:String}
"""

KNOWN_PERSONS = "SELECT customer_id, person_id FROM person_customers FINAL WHERE tenant_id = {tenant:String}"
"""The SQL of who is who, of the customers of the bound `tenant` that were ever linked with another."""

# Inside, names differ from the columns', because ClickHouse takes a column's name for the sum that is called so.
_OF_PERSONS = f"""
SELECT journey_id, min(began) AS started_at, max(ended) AS last_event_at, sum(touches) AS touchpoints,
       sum(won) AS conversions, sumMap(map(money, micros))[of_newest] AS value_micros, sum(facts) AS revision,
       argMax(customer, (ended, customer)) AS customer_id, argMax(step, (ended, customer)) AS stage,
       argMaxIf(money, (ended, customer), won > 0) AS of_newest, of_newest AS currency, person AS person_id
FROM (
    SELECT own.journey_id AS journey_id, own.started_at AS began, own.last_event_at AS ended,
           toUInt64(own.touchpoints) AS touches, toUInt64(own.conversions) AS won, own.value_micros AS micros,
           own.revision AS facts, own.customer_id AS customer, toString(own.stage) AS step,
           toString(own.currency) AS money, if(known.person_id = '', own.customer_id, known.person_id) AS person
    FROM (
        SELECT * FROM journeys FINAL WHERE tenant_id = {{tenant:String}} AND customer_id IN ({_LINKED})
    ) AS own
    LEFT JOIN ({KNOWN_PERSONS}) AS known ON own.customer_id = known.customer_id
)
GROUP BY person, journey_id
"""  # noqa: S608 - built from constants; values are bound

PERSON_OF = """
ifNull((SELECT any(person_id) FROM person_customers FINAL
        WHERE tenant_id = {tenant:String} AND customer_id = {customer:String} HAVING count() > 0), {customer:String})
"""
"""The SQL of the person of the bound `customer`: the customer itself when nothing is known of it."""

CUSTOMERS_OF = """
SELECT {person:String} UNION ALL
SELECT customer_id FROM person_customers FINAL WHERE tenant_id = {tenant:String} AND person_id = {person:String}
"""
"""The SQL of the customers of the bound `person`."""


def person_journeys(conditions: str) -> str:
    """Return the SQL of a tenant's journeys (bound as `tenant`): the columns of `journeys` and person_id.

    `conditions` may name them all. Journeys of customers alone, nearly all of them, are read as they are stored.
    """
    columns = ", ".join(_PLAIN)
    return f"""
    SELECT {columns}, customer_id, toString(stage) AS stage, toString(currency) AS currency, person_id FROM (
        SELECT *, customer_id AS person_id FROM journeys FINAL
        WHERE tenant_id = {{tenant:String}} AND customer_id NOT IN ({_LINKED})
    ) WHERE {conditions}
    UNION ALL
    SELECT {columns}, customer_id, stage, currency, person_id FROM ({_OF_PERSONS}) WHERE {conditions}
    """  # noqa: S608 - built from constants; values are bound
