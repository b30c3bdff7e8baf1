"""The measurement job: marketing events in, counted, attributed and watched figures out.

    marketing-events -> decode + validate -> stored, or quarantined
                            | first of each event id; later copies -> withdrawn where the store cannot tell
                            +-> late split -> 5 s windows, minutes -> signals -> alerts, anomalies
                            |       +-> late events -> revised windows and roll-ups
                            +-> journey facts -> credits, journeys -> signals
                            +-> identifiers -> persons of several customers -> derived credits -> signals
                            +-> counts

Submit with `flink run -py jobs/measurement.py --help` for the options.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment

from connectors.kafka import clients
from connectors.kafka.settings import KafkaSettings
from connectors.kafka.topics import Topics
from jobs import alerts, campaign_metrics, clock, counts, duplicates, identity, ingest, journeys, late, sinks, uids
from jobs.batches import set_batches
from jobs.options import Options, Stage, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyflink.table import StatementSet


def table_environment(env: StreamExecutionEnvironment, options: Options) -> StreamTableEnvironment:
    """Return a table environment with the settings that the job's correctness rests on."""
    t_env = StreamTableEnvironment.create(env)
    config = t_env.get_config()
    # No function here changes a record that it was given, so records need not be copied between chained operators.
    config.set("pipeline.object-reuse", "true")
    # Twice as often as Flink's default: every window waits for the next watermark.
    config.set("pipeline.auto-watermark-interval", "100 ms")
    # Beside a processing-time deduplication, the mini-batch marker replaces the event-time watermark by the wall clock.
    config.set("table.exec.mini-batch.enabled", "false")
    config.set("table.exec.state.ttl", f"{options.dedup_hours} h")
    config.set("table.exec.uid.generation", "ALWAYS")
    config.set("table.local-time-zone", "UTC")
    set_batches(t_env)
    return t_env


def build(t_env: StreamTableEnvironment, options: Options) -> None:
    """Add the whole data flow to the environment."""
    stages = options.stage_set
    sinks.define(t_env, options)

    store = bool(stages & {Stage.EVENTS, Stage.CAMPAIGN_METRICS, Stage.IDENTITY})
    # Each stage's result becomes a DataStream once, and everything after it branches from there: planning a table
    # twice runs it twice.
    with uids.stage(t_env, "ingest"):
        ingest.accept(t_env, options, store=store)
    if options.derived_parallelism:
        narrow(t_env, options.derived_parallelism)
    if store:
        with inserts(t_env, "duplicates") as out:
            duplicates.withdraw(t_env, options, out)
    if Stage.EVENTS in stages:
        with inserts(t_env, Stage.EVENTS) as out:
            ingest.quarantine(out)
            counts.count(t_env, options, out)
    if Stage.CAMPAIGN_METRICS in stages:
        with inserts(t_env, Stage.CAMPAIGN_METRICS) as out:
            late.split(t_env, options, out)
            campaign_metrics.measure(t_env, options, out)
    if Stage.IDENTITY in stages:
        with inserts(t_env, Stage.IDENTITY) as out:
            identity.read_commands(t_env, options)
            identity.link(t_env, options, out)
    if Stage.JOURNEYS in stages:
        with inserts(t_env, Stage.JOURNEYS) as out:
            journeys.attribute(t_env, options, out, erasures=Stage.IDENTITY in stages)
    if Stage.ALERTS in stages:
        with inserts(t_env, Stage.ALERTS) as out:
            alerts.watch(t_env, options, out)
    if options.clock_tick_ms:
        with inserts(t_env, "clock") as out:
            clock.tick(t_env, options, out)
    uids.settle(t_env)


def narrow(t_env: StreamTableEnvironment, parallelism: int) -> None:
    """Run what is planned from here on, and stands behind an exchange, in so many parts.

    What is planned already gets the job's parallelism for good, and what follows it without an exchange has the same.
    """
    job = t_env._j_tenv.execEnv()  # noqa: SLF001 - PyFlink's environment has no way back to the one it was made of
    for transformation in uids.planned(t_env):
        # Without a parallelism of its own it would take the job's, at the end.
        if transformation.getParallelism() <= 0:
            transformation.setParallelism(job.getParallelism())
    job.setParallelism(parallelism)


@contextmanager
def inserts(t_env: StreamTableEnvironment, stage: str) -> Iterator[StatementSet]:
    """Collect the INSERTs of one stage and plan them together, so that its uids depend on no other stage."""
    out = t_env.create_statement_set()
    with uids.stage(t_env, stage):
        yield out
        out.attach_as_datastream()


def too_wide(parallelism: int, partitions: int, topic: str) -> str | None:
    """Return why a job of this parallelism would never close a window, None when it would or the topic is unknown."""
    if not 0 < partitions < parallelism:
        return None
    return (
        f"the parallelism is {parallelism}; allowed: up to {partitions}, the partitions of {topic}. A reader without a "
        "partition has no watermark, and the windows of all others wait for it"
    )


def main() -> None:
    """Read the options, ask the brokers, build the data flow and hand it to Flink; exits with what is wrong."""
    options = parse()
    # Flink would try again and again, and show why deep in a stack trace.
    if reason := clients.refused(KafkaSettings.of(options)):
        sys.exit(f"error: {reason}")
    env = StreamExecutionEnvironment.get_execution_environment()
    events = Topics(options.topic_prefix).events
    if reason := too_wide(env.get_parallelism(), clients.partitions(KafkaSettings.of(options), events), events):
        sys.exit(f"error: {reason}")
    build(table_environment(env, options), options)
    env.execute(options.job_name)


if __name__ == "__main__":
    main()
