"""Commands on identity, to the running job: erase a customer, or withdraw a link that does not hold.

    python -m jobs.identity_control erase    --tenant acme --customer c-1
    python -m jobs.identity_control withdraw --tenant acme --customer c-1 --kind device_id --value d-7
    python -m jobs.identity_control show     --tenant acme --customer c-1

`erase` waits until the job has deleted every row of the customer and shows how many there were before and are after. It
returns 1 when some are left. What Redis holds of the customer is deleted too. Passwords are read from
TRIBUTARY_CLICKHOUSE_PASSWORD and TRIBUTARY_REDIS_PASSWORD.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from clickhouse_connect.driver.exceptions import ClickHouseError
from redis import RedisError

from connectors.clickhouse.arrow_sink import ArrowSink
from connectors.clickhouse.client import ClickHouseAddress
from connectors.clickhouse.identity import Customer, is_erased, links_of, rows_of
from connectors.kafka.identity_commands import CommandNotSentError, send_command
from connectors.kafka.settings import KafkaSettings, KafkaSettingsError, add_arguments
from connectors.kafka.topics import Topics
from connectors.redis.erasure import forget_customer
from udfs.identity.identifiers import Identifier, Kind
from udfs.identity.lines import erasure_line, withdrawal_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# A micro-batch, a bundle and five deletions take seconds; a job that is restarting takes longer.
WAIT_SECONDS = 120.0
POLL_SECONDS = 0.5


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m jobs.identity_control", description="Commands on identity.")
    add_arguments(made)
    made.add_argument("--topic-prefix", default="", help="as given to the job")
    made.add_argument("--clickhouse-url", default="http://127.0.0.1:19092", help="(default: the local stack's)")
    made.add_argument("--clickhouse-database", default="tributary", help="(default: tributary)")
    made.add_argument("--redis-url", default="redis://127.0.0.1:19093/0", help="(default: the local stack's)")
    commands = made.add_subparsers(dest="command", required=True)
    erase = commands.add_parser("erase", help="delete all that is known of a customer until now")
    erase.add_argument("--wait", type=float, default=WAIT_SECONDS, metavar="S", help="wait so long for the job")
    withdraw = commands.add_parser("withdraw", help="take a link between a customer and an identifier out for good")
    withdraw.add_argument("--kind", required=True, choices=[kind.value for kind in Kind])
    withdraw.add_argument("--value", required=True, help="the identifier")
    show = commands.add_parser("show", help="the person of a customer, and its links")
    for command in (erase, withdraw, show):
        command.add_argument("--tenant", required=True, help="tenant id")
        command.add_argument("--customer", required=True, help="customer id")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; returns 0 when it was done, 1 when a store or broker stood in the way or rows are left."""
    try:
        return _run(_parser().parse_args(arguments))
    except (CommandNotSentError, KafkaSettingsError, ClickHouseError, RedisError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _run(chosen: argparse.Namespace) -> int:
    address = ClickHouseAddress.parse(chosen.clickhouse_url, chosen.clickhouse_database)
    password = os.environ.get("TRIBUTARY_CLICKHOUSE_PASSWORD", address.password)
    sink = ArrowSink(replace(address, password=password))
    customer = Customer(chosen.tenant, chosen.customer)
    send = partial(send_command, KafkaSettings.of(chosen), Topics(chosen.topic_prefix).identity_commands, chosen.tenant)
    if chosen.command == "show":
        print("\n".join(links_of(sink, customer)))
        return 0
    if chosen.command == "withdraw":
        link = Identifier(Kind(chosen.kind), chosen.value)
        send(withdrawal_line(*customer, link))
        print("withdrawn; the job derives anew what rested on the link")
        return 0
    done = _erase(sink, customer, send, chosen.wait)
    deleted = forget_customer(chosen.redis_url, os.environ.get("TRIBUTARY_REDIS_PASSWORD"), *customer)
    print(f"{'redis':24} {deleted:8} keys deleted")
    return done


def _erase(sink: ArrowSink, customer: Customer, send: Callable[[str], None], wait_seconds: float) -> int:
    now_ms = int(time.time() * 1000)
    before = rows_of(sink, customer, now_ms)
    send(erasure_line(*customer, now_ms))
    until = time.monotonic() + wait_seconds
    after = before
    while True:
        erased = is_erased(sink, customer, now_ms)
        if erased:
            after = rows_of(sink, customer, now_ms)
        if (erased and not any(after.values())) or time.monotonic() > until:
            break
        time.sleep(POLL_SECONDS)
    for table, count in before.items():
        print(f"{table:24} {count:8} rows before {after[table]:8} after")
    if erased and not any(after.values()):
        return 0
    print(f"error: not erased within {wait_seconds:g} s; is a job with the stage identity running?", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
