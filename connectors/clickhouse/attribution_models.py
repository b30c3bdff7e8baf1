"""Trained attribution models in ClickHouse: what they were trained on, how they were judged, and drift since."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from connectors.clickhouse.arrow_sink import times

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connectors.clickhouse.arrow_sink import ArrowSink

_NUMBERS = pa.map_(pa.string(), pa.float64())
_BIN = pa.struct([("journeys", pa.float64()), ("predicted", pa.float64()), ("observed", pa.float64())])


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """A row of `attribution_models`; times are UTC ms."""

    tenant_id: str
    model_version: str
    conversion_type: str
    kind: str
    chain_order: int
    trained_at: int
    in_force_from: int
    published: bool
    verdict: str
    transforms: Sequence[str]
    effects: Mapping[str, float]
    standard_errors: Mapping[str, float]
    trained_from: int
    trained_until: int
    journeys: int
    conversions: int
    held_out_journeys: int
    auc: float
    auc_error: float
    brier: float
    attainable_auc: float
    reliability: Sequence[tuple[float, float, float]]
    channel_touches: Mapping[str, float]
    path_lengths: Mapping[str, float]


def store_model(sink: ArrowSink, row: ModelRow) -> None:
    """Store a model; blocks and raises as the sink does."""
    columns: dict[str, Any] = {
        name: [getattr(row, name)]
        for name in (
            *("tenant_id", "model_version", "conversion_type", "kind", "verdict"),
            *("auc", "auc_error", "brier", "attainable_auc"),
        )
    }
    for name in ("trained_at", "in_force_from", "trained_from", "trained_until"):
        columns[name] = times([getattr(row, name)])
    for name in ("journeys", "conversions", "held_out_journeys"):
        columns[name] = pa.array([getattr(row, name)], pa.uint64())
    for name in ("chain_order", "published"):
        columns[name] = pa.array([int(getattr(row, name))], pa.uint8())
    for name in ("effects", "standard_errors", "channel_touches", "path_lengths"):
        columns[name] = pa.array([list(getattr(row, name).items())], _NUMBERS)
    columns["transforms"] = pa.array([list(row.transforms)], pa.list_(pa.string()))
    bins = [dict(zip(("journeys", "predicted", "observed"), one, strict=True)) for one in row.reliability]
    columns["reliability"] = pa.array([bins], pa.list_(_BIN))
    sink.write("attribution_models", columns)


def path_profile_of(
    sink: ArrowSink, tenant_id: str, model_version: str
) -> tuple[dict[str, float], dict[str, float]] | None:
    """Return touches by channel and journeys by path length that a model was trained on; None: no such model."""
    rows = sink.rows(
        "SELECT channel_touches, path_lengths FROM attribution_models FINAL "
        "WHERE tenant_id = {tenant:String} AND model_version = {version:String}",
        {"tenant": tenant_id, "version": model_version},
        "profile of a model",
    )
    return (dict(rows[0][0]), dict(rows[0][1])) if rows else None


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRow:
    """A row of `attribution_drift`; times are UTC ms."""

    tenant_id: str
    model_version: str
    measured_at: int
    since: int
    until: int
    journeys: int
    channel_psi: float
    length_psi: float


def store_drift(sink: ArrowSink, row: DriftRow) -> None:
    """Store a measurement; blocks and raises as the sink does."""
    columns: dict[str, Any] = {
        name: [getattr(row, name)] for name in ("tenant_id", "model_version", "channel_psi", "length_psi")
    }
    columns |= {name: times([getattr(row, name)]) for name in ("measured_at", "since", "until")}
    columns["journeys"] = pa.array([row.journeys], pa.uint64())
    sink.write("attribution_drift", columns)
