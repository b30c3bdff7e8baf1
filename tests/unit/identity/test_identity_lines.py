"""Observations and commands as text."""

from __future__ import annotations

import orjson
import pytest

from udfs.identity.device_graph import Erasure, Observation, Withdrawal
from udfs.identity.identifiers import Identifier, Kind
from udfs.identity.lines import CommandError, erasure_line, observation_line, read_change, withdrawal_line


def test_an_event_becomes_an_observation():
    record = {
        "envelope": {
            "event_time": 17,
            "consent": {"analytics": True},
            "identifiers": {"device_id": "line\nbreak", "geo": "DE", "other": "x"},
        },
        "journey": {"customer_id": "ann"},
    }
    line = observation_line(orjson.dumps(record).decode())
    assert "\n" not in line
    assert read_change(line) == Observation("ann", 17, True, {"device_id": "line\nbreak", "geo": "DE"})


def test_commands_are_read_as_written():
    link = Identifier(Kind.COOKIE_ID, "k\n1")
    assert read_change(withdrawal_line("acme", "ann", link)) == Withdrawal("ann", link)
    assert read_change(erasure_line("acme", "ann", 18)) == Erasure("ann", 18)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("{", "JSON"),
        ("7", "object"),
        ("{}", "withdraw, erase"),
        ('{"command": "erase", "customer_id": "secret"}', "at"),
        ('{"command": "erase", "customer_id": "secret", "at": true}', "at"),
        ('{"command": "erase", "at": 5}', "customer_id"),
        ('{"command": "withdraw", "customer_id": "secret", "kind": "secret", "value": "secret"}', "kind"),
        ('{"command": "withdraw", "customer_id": "secret", "kind": "device_id"}', "value"),
    ],
)
def test_errors_name_the_key_and_nobody(line, named):
    with pytest.raises(CommandError, match=named) as error:
        read_change(line)
    assert "secret" not in str(error.value)
