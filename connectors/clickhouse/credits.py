"""Credits as rows of `attribution_credits`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from connectors.clickhouse.arrow_sink import TIME, times

if TYPE_CHECKING:
    from collections.abc import Sequence

_PLAIN = ("tenant_id", "conversion_id", "conversion_type", "customer_id", "journey_id", "currency")
_MICROS = ("gross_value_micros", "value_micros")


def credit_columns(attributions: Sequence[dict[str, Any]], attributed_at_ms: int) -> dict[str, Any]:
    """Return the columns of `attribution_credits`: one row per attribution and model, touches in parallel arrays.

    What an attribution replaces comes as rows of its own, marked `superseded`: they go on to `credit_revisions`.
    """
    revisions: list[dict[str, Any]] = []
    for attribution in attributions:
        revisions.append(attribution)
        if replaced := attribution.get("replaces"):
            revisions.append(attribution | replaced | {"superseded": 1})
    rows = [(revision, model, credit) for revision in revisions for model, credit in revision["models"].items()]
    # The lists of a revision's touches are made once, and named by each of its models.
    split = [[list(column) for column in zip(*revision["touches"], strict=True)] for revision in revisions]
    parts = [columns for revision, columns in zip(revisions, split, strict=True) for _ in revision["models"]]

    def plain(name: str) -> list[Any]:
        return [attribution[name] for attribution, _, _ in rows]

    def touches(index: int, kind: pa.DataType) -> pa.Array:
        return pa.array([columns[index] for columns in parts], type=pa.list_(kind))

    weights = [credit["weights"] for _, _, credit in rows]
    micros = [credit["credited_micros"] for _, _, credit in rows]
    return {name: pa.array(plain(name), type=pa.string()) for name in _PLAIN} | {
        **{name: pa.array(plain(name), type=pa.int64()) for name in _MICROS},
        "conversion_time": times(plain("conversion_time")),
        "model": pa.array([model for _, model, _ in rows], type=pa.string()),
        "settings_version": pa.array(plain("settings_version"), type=pa.uint32()),
        "model_version": pa.array([credit.get("model_version", "") for _, _, credit in rows], type=pa.string()),
        "touches.touchpoint_id": touches(0, pa.string()),
        "touches.channel": touches(1, pa.string()),
        "touches.campaign_id": touches(2, pa.string()),
        "touches.time": touches(3, pa.int64()).cast(pa.list_(TIME)),
        "touches.weight": pa.array(weights, type=pa.list_(pa.float64())),
        "touches.credited_micros": pa.array(micros, type=pa.list_(pa.int64())),
        "attributed_at": times([attributed_at_ms] * len(rows)),
        "revision": pa.array(plain("revision"), type=pa.uint64()),
        "superseded": pa.array([revision.get("superseded", 0) for revision, _, _ in rows], type=pa.uint8()),
    }
