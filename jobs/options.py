"""Options of the measurement job: one typed object, read once, validated before Flink is asked for anything."""

from __future__ import annotations

import argparse
import re
from dataclasses import MISSING, dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from connectors.kafka.settings import KafkaSettings


class OptionError(ValueError):
    """An option has a value that is not allowed; the message names the option, the value and what is allowed."""


class Stage(StrEnum):
    """What a job computes. Decoding, validation, quarantine and deduplication are part of every job."""

    EVENTS = "events"
    CAMPAIGN_METRICS = "campaign_metrics"
    JOURNEYS = "journeys"
    ALERTS = "alerts"
    IDENTITY = "identity"


USUAL_STAGES = tuple(stage.value for stage in Stage if stage is not Stage.IDENTITY)
"""Identity is asked for by name: it keeps a device graph of each tenant's customers."""


class Start(StrEnum):
    """Where a job without a checkpoint begins to read."""

    GROUP = "group"
    EARLIEST = "earliest"
    LATEST = "latest"


def _option(description: str, default: Any = MISSING) -> Any:
    if default is MISSING:
        return field(metadata={"help": description})
    return field(default=default, metadata={"help": description})


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(KafkaSettings):
    """Options of `jobs/measurement.py`. `parse` reads them from a command line, `check` validates them.

    Passwords are not options, because Flink shows a job's arguments: JobManager and workers read
    TRIBUTARY_KAFKA_PASSWORD, TRIBUTARY_CLICKHOUSE_PASSWORD and TRIBUTARY_REDIS_PASSWORD from their environment.
    """

    clickhouse_url: str = _option("ClickHouse over HTTP, http(s)://[user@]host:port")
    redis_url: str = _option("Redis, redis(s)://host:port/db")
    clickhouse_database: str = _option("ClickHouse database, made by the migrations", "tributary")
    registry: str = _option(
        "schemas: a folder, or the URL of a Schema Registry", str(Path(__file__).parent.parent / "avro")
    )
    topic_prefix: str = _option("put before every topic name, to run beside another system on one broker", "")
    consumer_group: str = _option("Kafka consumer group; its offsets show the lag", "tributary-measurement")
    job_name: str = _option("name shown by Flink", "tributary-measurement")
    stages: str = _option(
        "what this job computes, comma-separated: events, campaign_metrics, journeys, alerts, identity",
        ",".join(USUAL_STAGES),
    )
    start: str = _option(
        "first offsets without a checkpoint: group (else earliest), earliest, latest", Start.GROUP.value
    )
    watermark_delay_ms: int = _option("how far the watermark trails the newest append time of a partition, ms", 1_000)
    clock_tick_ms: int = _option("a quiet partition gets a clock tick this often, ms; 0: another job does it", 250)
    derived_parallelism: int = _option("parallelism of what is derived from stored events; 0: the job's", 0)
    dedup_hours: int = _option("how long the stream remembers event ids, hours", 24)
    micro_batch_ms: int = _option("journey facts are handed to Python in batches of this length, ms", 200)
    lookback_days: int = _option("touchpoints up to this old are credited, days", 30)
    half_life_days: float = _option("half-life of the time-decay model, days", 7.0)
    identity_threshold: float = _option("probability from which on two customers of one network are linked", 0.7)
    journey_retention_days: int = _option("how long a person's touchpoints and conversions are kept, days", 90)

    @property
    def stage_set(self) -> frozenset[Stage]:
        """The chosen stages."""
        return frozenset(Stage(name.strip()) for name in self.stages.split(","))


# Inclusive bounds of the numbers; the reason for a bound stands beside it.
_BOUNDS: dict[str, tuple[float, float]] = {
    "watermark_delay_ms": (0, 60_000),  # a minute of delay already breaks every promise of freshness
    "clock_tick_ms": (0, 10_000),
    "derived_parallelism": (0, 128),  # the production profile has 128 key groups
    "dedup_hours": (1, 24 * 90),  # beyond the topic's retention nothing can come back
    "micro_batch_ms": (20, 5_000),
    "lookback_days": (1, 365),
    "half_life_days": (0.01, 365),
    "identity_threshold": (0.5, 0.99),  # a link must be more likely true than not
    "journey_retention_days": (1, 400),
}
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_TOPIC_PART = re.compile(r"[A-Za-z0-9._-]{0,100}")


def _refuse(name: str, value: object, allowed: str) -> OptionError:
    return OptionError(f"--{name.replace('_', '-')} is {value!r}; allowed: {allowed}")


def check(options: Options) -> Options:
    """Return `options` if every value is allowed.

    Raises:
        OptionError: naming the first option that is not.
    """
    if found := options.kafka_problem():
        raise _refuse(*found)
    _check_addresses(options)
    _check_names(options)
    _check_stages(options)
    _check_numbers(options)
    return options


def _check_addresses(options: Options) -> None:
    for name, schemes in (("clickhouse_url", {"http", "https"}), ("redis_url", {"redis", "rediss"})):
        parts = urlsplit(getattr(options, name))
        if parts.password:
            raise _refuse(name, "(hidden)", "no password in the URL; set it in the workers' environment")
        if parts.scheme not in schemes or not parts.hostname:
            raise _refuse(name, getattr(options, name), f"{' or '.join(sorted(schemes))}://host:port")


def _check_names(options: Options) -> None:
    if not _IDENTIFIER.fullmatch(options.clickhouse_database):
        allowed = "letters, digits and underscores, no digit first"
        raise _refuse("clickhouse_database", options.clickhouse_database, allowed)
    for name in ("topic_prefix", "consumer_group"):
        if not _TOPIC_PART.fullmatch(getattr(options, name)):
            raise _refuse(name, getattr(options, name), "letters, digits, dot, underscore, hyphen; 100 at most")


def _check_stages(options: Options) -> None:
    known = [stage.value for stage in Stage]
    for stage in options.stages.split(","):
        if stage.strip() not in known:
            raise _refuse("stages", stage, ", ".join(known))
    if Stage.ALERTS in options.stage_set and Stage.CAMPAIGN_METRICS not in options.stage_set:
        raise _refuse("stages", options.stages, "alerts together with campaign_metrics, whose windows they watch")


def _check_numbers(options: Options) -> None:
    if options.start not in set(Start):
        raise _refuse("start", options.start, ", ".join(Start))
    for name, (low, high) in _BOUNDS.items():
        if not low <= getattr(options, name) <= high:
            raise _refuse(name, getattr(options, name), f"{low:g} to {high:g}")
    if options.journey_retention_days < options.lookback_days:
        allowed = f"at least --lookback-days ({options.lookback_days})"
        raise _refuse("journey_retention_days", options.journey_retention_days, allowed)


def parser() -> argparse.ArgumentParser:
    """Build the command line; every field of `Options` is one long option."""
    made = argparse.ArgumentParser(
        prog="measurement.py",
        description="Tributary's streaming job: validate, deduplicate, measure, attribute, alert.",
        allow_abbrev=False,
    )
    for item in fields(Options):
        required = item.default is MISSING
        made.add_argument(
            f"--{item.name.replace('_', '-')}",
            dest=item.name,
            type={"int": int, "float": float}.get(str(item.type), str),
            required=required,
            default=None if required else item.default,
            help=item.metadata["help"] + ("" if required else f" (default: {item.default})"),
        )
    return made


def parse(arguments: list[str] | None = None) -> Options:
    """Read and check options from a command line; exits with a message on a wrong one, as command lines do."""
    made = parser()
    try:
        return check(Options(**vars(made.parse_args(arguments))))
    except OptionError as error:
        made.error(str(error))
