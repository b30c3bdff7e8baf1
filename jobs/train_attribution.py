"""Train a tenant's data-driven attribution on its stored journeys, and publish it if it is not worse.

    python -m jobs.train_attribution --tenant acme --kind markov --order 2
    python -m jobs.train_attribution --tenant acme --kind hazard --days 30 --dry-run
    python -m jobs.train_attribution --tenant acme --drift

Reads converting and non-converting journeys from ClickHouse slice by slice, trains, validates on the journeys of
customers that were held out, and compares with the published model on the same journeys. A model that is not worse goes
to the table `attribution_models` and to the control topic, from where the running job takes it. Look-back, touch filter
and transforms are those of the tenant's settings. Runs in the environment of serving, which has numpy and scipy.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from clickhouse_connect.driver.exceptions import ClickHouseError

from connectors.clickhouse.arrow_sink import ArrowSink
from connectors.clickhouse.attribution_models import DriftRow, ModelRow, path_profile_of, store_drift, store_model
from connectors.clickhouse.client import ClickHouseAddress
from connectors.clickhouse.journey_paths import JourneyQuery, read_journeys
from connectors.kafka.control import ControlTopic, ControlTopicError
from connectors.kafka.settings import KafkaSettings, add_arguments
from connectors.kafka.topics import Topics
from jobs.attribution_control import JOB, ConflictError, TenantRecord, put_models, read_one
from jobs.control import check_tenant
from udfs.attribution.drift import MUCH_DRIFT, SOME_DRIFT, path_profile, population_stability
from udfs.attribution.hazard import train_hazard
from udfs.attribution.heuristics import DAY_MS
from udfs.attribution.paths import PathCount
from udfs.attribution.published_model import PublishedModel
from udfs.attribution.settings import SettingsError
from udfs.attribution.tenant_settings import TenantSettings, settings_of
from udfs.attribution.training import Kind, Trained, is_worse, judge, train, validate_effects
from udfs.attribution.transforms import chain, transformed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from udfs.attribution.validation import Validation

TARGET_AUC = 0.85
# A model on fewer conversions is noise; with so many the error of an AUC is about 0.03.
FEWEST_CONVERSIONS = 100
# Conversions are kept 90 days in the stream, so no credit needs a model that was replaced longer ago.
MODEL_KEPT_MS = 100 * DAY_MS
MOST_MODELS = 100


class TrainingError(Exception):
    """There is nothing to train on, or nothing to compare with; the text says what is there and what is needed."""


@dataclass(frozen=True, slots=True)
class Journeys:
    """What was read, equal paths counted together, after the transforms."""

    training: list[PathCount]
    held_out: list[PathCount]
    query: JourneyQuery
    transforms: tuple[str, ...]


def read(sink: ArrowSink, query: JourneyQuery, transforms: tuple[str, ...]) -> Journeys:
    """Read the journeys, showing progress on standard error. Memory: distinct paths."""
    began = time.monotonic()
    steps = chain(transforms)
    sums: dict[tuple[bool, tuple[str, ...]], list[float]] = {}

    def progress(seen: int, total: int) -> None:
        rate = seen / max(time.monotonic() - began, 1e-3)
        print(f"read {seen:,} of {total:,} events, {rate:,.0f} a second, {len(sums):,} paths", file=sys.stderr)

    for journey in read_journeys(sink, query, progress):
        channels = tuple(journey.path.channels)
        if steps:
            channels = tuple(name for _, name in transformed(channels, steps))
        found = sums.setdefault((journey.held_out, channels), [0.0, 0.0, 0.0])
        found[0] += journey.path.conversions
        found[1] += journey.path.value
        found[2] += journey.path.nulls
    parts: dict[bool, list[PathCount]] = {False: [], True: []}
    for (held_out, channels), (conversions, value, nulls) in sums.items():
        parts[held_out].append(PathCount(channels, conversions, value, nulls))
    return Journeys(parts[False], parts[True], query, transforms)


def version_of(trained: Trained, trained_at: int) -> str:
    """Return the version of a model: what it is, and when it was trained (UTC, to the millisecond).

    It is the key under which a model is kept: seconds would let one of two quick trainings replace the other.
    """
    name = f"{trained.kind.value}{trained.order or ''}"
    return f"{name}-{datetime.fromtimestamp(trained_at / 1000, UTC):%Y%m%dT%H%M%S}.{trained_at % 1000:03d}"


def verdict_on(
    trained: Trained, published: PublishedModel | None, journeys: Journeys, *, force: bool
) -> tuple[bool, str]:
    """Return whether a model is to be published, and why."""
    if not any(effect > 0 for effect in trained.effects.effects.values()):
        return False, "refused: no channel has an effect"
    if published is None:
        return True, "published: the first model"
    if published.transforms != journeys.transforms:
        return True, f"published: {published.version} had other transforms and cannot be compared"
    before = validate_effects(published.effects, journeys.training, journeys.held_out)
    figures = f"AUC {trained.validation.auc:.4f} ± {trained.validation.auc_error:.4f} against {before.auc:.4f}, "
    figures += f"Brier {trained.validation.brier:.5f} against {before.brier:.5f} of {published.version}"
    if is_worse(trained.validation, before):
        return force, f"{'published by force' if force else 'refused'}: worse, {figures}"
    return True, f"published: not worse, {figures}"


def publish(topic: ControlTopic, tenant_id: str, model: PublishedModel) -> TenantRecord:
    """Put a model into force, and drop those that no kept conversion can need; raises as `put_models` does."""

    def added(known: TenantRecord) -> Sequence[PublishedModel]:
        own = sorted(
            (one for one in known.models if one.conversion_type == model.conversion_type),
            key=lambda one: one.in_force_from,
        )
        others = [one for one in known.models if one.conversion_type != model.conversion_type]
        # A model is needed as long as its successor has not been in force for the time that conversions are kept.
        needed = [
            one
            for one, successor in zip(own, [*own, model][1:], strict=True)
            if successor.in_force_from > model.in_force_from - MODEL_KEPT_MS
        ]
        return [*others, *needed[-MOST_MODELS + 1 :], model]

    return put_models(topic, tenant_id, added)


def report(trained: Trained, attainable: Validation, journeys: Journeys) -> str:
    """Return what is to be known of a trained model, as lines."""
    one = trained.validation
    effects = sorted(trained.effects.effects.items(), key=lambda pair: -pair[1])
    shares = trained.effects.shares()
    target = "reached" if one.auc >= TARGET_AUC else "not reached"
    lines = [f"{'channel':20} {'effect':>10} {'share':>7}"]
    lines += [f"{channel:20} {effect:10.5f} {shares[channel]:7.4f}" for channel, effect in effects]
    if trained.effects.negative:
        lines.append(f"negative, no credit: {', '.join(trained.effects.negative)}")
    lines.append(
        f"trained on {total(journeys.training):,.0f} journeys, {len(journeys.training):,} paths, "
        f"held out {one.journeys:,.0f}; {trained.states:,} states"
    )
    lines.append(
        f"AUC {one.auc:.4f} ± {one.auc_error:.4f} (what these paths can tell: {attainable.auc:.4f}; "
        f"target {TARGET_AUC}: {target}), Brier {one.brier:.5f}"
    )
    lines.append(f"{'journeys':>10} {'predicted':>10} {'observed':>10}")
    lines += [f"{part.journeys:10,.0f} {part.predicted:10.4f} {part.observed:10.4f}" for part in one.reliability]
    lines.append(f"largest memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
    return "\n".join(lines)


def total(paths: Sequence[PathCount]) -> float:
    """Return the number of journeys."""
    return sum(path.conversions + path.nulls for path in paths)


def run_training(chosen: argparse.Namespace, sink: ArrowSink, topic: ControlTopic) -> int:
    """Train, report, publish. Returns 0 when it was published (or is a trial), 3 when it was refused."""
    record = read_one(topic, chosen.tenant)
    settings = _settings(record)
    rules = settings.rules_of(chosen.conversion_type)
    journeys = read(sink, _query(chosen, settings), rules.transforms)
    conversions = [sum(path.conversions for path in part) for part in (journeys.training, journeys.held_out)]
    if min(conversions) < FEWEST_CONVERSIONS:
        raise TrainingError(
            f"{conversions[0]:.0f} conversions to train on and {conversions[1]:.0f} held out; allowed: "
            f"{FEWEST_CONVERSIONS} or more of each. Take more --days, or wait"
        )
    print(f"training {chosen.kind} on {total(journeys.training):,.0f} journeys", file=sys.stderr)
    trained = train(Kind(chosen.kind), chosen.order, journeys.training, journeys.held_out)
    attainable = judge(train_hazard(journeys.training).probability, journeys.held_out)
    print(report(trained, attainable, journeys))
    now = int(time.time() * 1000)
    in_force = now if chosen.in_force_from is None else chosen.in_force_from
    model = PublishedModel(
        version_of(trained, now), chosen.conversion_type, in_force, trained.effects.effects, journeys.transforms
    )
    # Compared with the newest model of the same conversions, not with one for others that stands in for it.
    known = settings.models.get(chosen.conversion_type, ())
    good, verdict = verdict_on(trained, known[-1] if known else None, journeys, force=chosen.force)
    good = good and not chosen.dry_run
    if good:
        topic.create()
        verdict += f", settings version {publish(topic, chosen.tenant, model).version}"
    store_model(sink, _row(chosen, model, trained, attainable, journeys, now, (good, verdict)))
    print(f"{model.version}: {verdict}{' (a trial: not published)' if chosen.dry_run else ''}")
    return 0 if good or chosen.dry_run else 3


def run_drift(chosen: argparse.Namespace, sink: ArrowSink, topic: ControlTopic) -> int:
    """Measure how far the newest journeys are from those of the model in force; store it, and write it as a metric."""
    settings = _settings(read_one(topic, chosen.tenant))
    now = int(time.time() * 1000)
    model = settings.model_of(chosen.conversion_type, now)
    profile = path_profile_of(sink, chosen.tenant, model.version) if model else None
    if model is None or profile is None:
        raise TrainingError(f"{chosen.tenant} has no published model to measure drift against; train one first")
    query = _query(chosen, settings)
    journeys = read(sink, replace(query, held_out=0.0), model.transforms)
    touches, lengths = path_profile(journeys.training)
    drift = DriftRow(
        tenant_id=chosen.tenant,
        model_version=model.version,
        measured_at=now,
        since=query.since_ms,
        until=query.until_ms,
        journeys=round(total(journeys.training)),
        channel_psi=population_stability(profile[0], touches),
        length_psi=population_stability(profile[1], lengths),
    )
    store_drift(sink, drift)
    if chosen.metrics_file:
        write_metrics(chosen.metrics_file, drift)
    print(
        f"{model.version} over {drift.journeys:,} journeys: population stability index {drift.channel_psi:.4f} by "
        f"channel, {drift.length_psi:.4f} by path length (below {SOME_DRIFT} the same, above {MUCH_DRIFT} train again)"
    )
    return 0


def write_metrics(file: str, drift: DriftRow) -> None:
    """Write the drift in Prometheus' text format, whole at once, for the node exporter's textfile collector."""
    from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

    registry = CollectorRegistry()
    gauge = Gauge(
        "attribution_drift_psi",
        "Population stability index of live paths against those the model was trained on",
        ["tenant_id", "model_version", "over"],
        registry=registry,
    )
    for over, value in (("channel", drift.channel_psi), ("path_length", drift.length_psi)):
        gauge.labels(drift.tenant_id, drift.model_version, over).set(value)
    write_to_textfile(file, registry)


def _settings(record: TenantRecord) -> TenantSettings:
    return settings_of(record.document or {}, JOB, max(1, record.version), record.models)


def _query(chosen: argparse.Namespace, settings: TenantSettings) -> JourneyQuery:
    rules = settings.rules_of(chosen.conversion_type)
    until = int(time.time() * 1000) - round(chosen.settled_hours * DAY_MS / 24)
    return JourneyQuery(
        tenant_id=chosen.tenant,
        since_ms=until - round(chosen.days * DAY_MS),
        until_ms=until,
        lookback_ms=rules.lookback_ms,
        touch_filter=rules.touch_filter,
        conversion_type=chosen.conversion_type,
        held_out=chosen.held_out,
        consent=rules.consent,
    )


def _row(
    chosen: argparse.Namespace,
    model: PublishedModel,
    trained: Trained,
    attainable: Validation,
    journeys: Journeys,
    now: int,
    outcome: tuple[bool, str],
) -> ModelRow:
    touches, lengths = path_profile(journeys.training)
    one = trained.validation
    return ModelRow(
        tenant_id=chosen.tenant,
        model_version=model.version,
        conversion_type=model.conversion_type,
        kind=trained.kind.value,
        chain_order=trained.order,
        trained_at=now,
        in_force_from=model.in_force_from,
        published=outcome[0],
        verdict=outcome[1],
        transforms=model.transforms,
        effects=model.effects,
        standard_errors=trained.effects.standard_errors,
        trained_from=journeys.query.since_ms,
        trained_until=journeys.query.until_ms,
        journeys=round(total(journeys.training)),
        conversions=round(sum(path.conversions for path in journeys.training)),
        held_out_journeys=round(one.journeys),
        auc=one.auc,
        auc_error=one.auc_error,
        brier=one.brier,
        attainable_auc=attainable.auc,
        reliability=[(part.journeys, part.predicted, part.observed) for part in one.reliability],
        channel_touches=touches,
        path_lengths=lengths,
    )


def _within(low: float, high: float) -> Callable[[str], float]:
    """Return a reader of numbers for a command line that refuses what is out of bounds, saying them."""

    def read_number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not allowed; allowed: {low:g} to {high:g}")
        return value

    return read_number


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m jobs.train_attribution", description="Train data-driven attribution."
    )
    made.add_argument("--tenant", required=True, help="tenant id")
    made.add_argument("--conversion-type", default="", help="of these conversions only (default: all)")
    made.add_argument(
        "--kind", choices=[kind.value for kind in Kind], default=Kind.HAZARD.value, help="(default: hazard)"
    )
    made.add_argument("--order", type=int, choices=range(1, 9), default=1, help="of a Markov chain (default: 1)")
    made.add_argument("--days", type=_within(0.01, 400), default=30.0, help="events of so many days (default: 30)")
    made.add_argument(
        "--settled-hours",
        type=_within(0, 24 * 90),
        default=24.0,
        help="leave out so many of the newest hours, whose journeys may still convert (default: 24)",
    )
    made.add_argument("--held-out", type=_within(0.05, 0.5), default=0.2, help="share of customers (default: 0.2)")
    made.add_argument(
        "--in-force-from", type=int, help="UTC ms; conversions from then on get it (default: now, older credits stay)"
    )
    made.add_argument("--dry-run", action="store_true", help="train and judge, publish nothing")
    made.add_argument("--force", action="store_true", help="publish also a model that is worse")
    made.add_argument("--drift", action="store_true", help="measure drift against the published model, train nothing")
    made.add_argument("--metrics-file", help="with --drift: write the metric to this file (*.prom)")
    made.add_argument("--clickhouse-url", default="http://127.0.0.1:19092", help="(default: the local stack's)")
    made.add_argument("--clickhouse-database", default="tributary", help="(default: tributary)")
    add_arguments(made)
    made.add_argument("--topic-prefix", default="", help="as given to the job")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns 0: done, 1: a store or topic stood in the way, 2: a wrong call, 3: refused as worse."""
    chosen = _parser().parse_args(arguments)
    address = ClickHouseAddress.parse(chosen.clickhouse_url, chosen.clickhouse_database)
    sink = ArrowSink(replace(address, password=os.environ.get("TRIBUTARY_CLICKHOUSE_PASSWORD", address.password)))
    try:
        topic = ControlTopic(KafkaSettings.of(chosen), Topics(chosen.topic_prefix).control)
        check_tenant(chosen.tenant)
        return (run_drift if chosen.drift else run_training)(chosen, sink, topic)
    except (SettingsError, TrainingError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (ControlTopicError, ConflictError, ClickHouseError, OSError) as error:
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
