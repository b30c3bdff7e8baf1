"""Reading the pipeline's signals and alerts: JSON in, typed values out. The fields are those of
docs/data-contract.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from serving.queries.alerts import AlertRecord
from serving.queries.attribution import Conversion, ModelCredit
from serving.queries.campaign_metrics import Sums, Window

if TYPE_CHECKING:
    from collections.abc import Mapping


class MalformedSignalError(ValueError):
    """A signal that is not as the contract says; the message says what is wrong and holds none of its values."""


def read_json(value: bytes | str | None) -> dict[str, Any]:
    """Return the JSON object of a record.

    Raises:
        MalformedSignalError: it is not a JSON object.
    """
    try:
        read = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        raise MalformedSignalError("not JSON") from None
    if not isinstance(read, dict):
        raise MalformedSignalError("not a JSON object")
    return read


def _whole(signal: Mapping[str, Any], name: str) -> int:
    value = signal.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise MalformedSignalError(f"{name} is not a whole number")
    return value


def _number(signal: Mapping[str, Any], name: str) -> float:
    value = signal.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise MalformedSignalError(f"{name} is not a number")
    return float(value)


def _text(signal: Mapping[str, Any], name: str) -> str:
    value = signal.get(name)
    if not isinstance(value, str):
        raise MalformedSignalError(f"{name} is not text")
    return value


def _text_or_empty(signal: Mapping[str, Any], name: str) -> str:
    return "" if signal.get(name) is None else _text(signal, name)


def tenant_of(signal: Mapping[str, Any]) -> str:
    """Return whose signal it is; raises MalformedSignalError when it does not say."""
    tenant_id = _text(signal, "tenant_id")
    if not tenant_id:
        raise MalformedSignalError("tenant_id is empty")
    return tenant_id


def read_window(signal: Mapping[str, Any]) -> Window:
    """Read a `campaign_metrics` signal; raises MalformedSignalError."""
    return Window(
        campaign_id=_text(signal, "campaign_id"),
        channel=_text(signal, "channel"),
        currency=_text(signal, "currency"),
        end_ms=_whole(signal, "window_end"),
        sums=Sums(
            impressions=_whole(signal, "impressions"),
            clicks=_whole(signal, "clicks"),
            conversions=_whole(signal, "conversions"),
            cost_micros=_whole(signal, "cost_micros"),
            revenue_micros=_whole(signal, "revenue_micros"),
            events=_whole(signal, "events"),
        ),
        revision=_whole(signal, "revision"),
        newest_created_ms=_whole(signal, "newest_created_at"),
    )


def read_conversion(signal: Mapping[str, Any]) -> Conversion:
    """Read an `attribution` signal; raises MalformedSignalError."""
    models = signal.get("models")
    touches = signal.get("touches")
    if not isinstance(models, dict) or not isinstance(touches, list):
        raise MalformedSignalError("models is not an object, or touches not a list")
    touched = _touched(touches)
    return Conversion(
        conversion_id=_text(signal, "conversion_id"),
        conversion_type=_text(signal, "conversion_type"),
        time_ms=_whole(signal, "conversion_time"),
        customer_id=_text(signal, "customer_id"),
        journey_id=_text_or_empty(signal, "journey_id"),
        currency=_text(signal, "currency"),
        value_micros=_whole(signal, "value_micros"),
        gross_value_micros=_whole(signal, "gross_value_micros"),
        models=tuple(_model_credit(str(model), touched, credit) for model, credit in sorted(models.items())),
        revision=_whole(signal, "revision"),
        created_ms=_whole(signal, "created_at"),
    )


def _touched(touches: list[Any]) -> list[list[Any]]:
    """Return the ids, channels, campaign ids and times (UTC ms) of the touches of a conversion."""
    try:
        ids, channels, campaign_ids, times = map(list, zip(*touches, strict=True)) if touches else ([], [], [], [])
        return [[*map(str, ids)], [*map(str, channels)], [*map(str, campaign_ids)], [*map(int, times)]]
    except (TypeError, ValueError):
        raise MalformedSignalError("a touch is not [id, channel, campaign id, time]") from None


def _model_credit(model: str, touched: list[list[Any]], credit: Any) -> ModelCredit:
    """Join the touches of a conversion with one model's weights and micros for them."""
    try:
        weights, micros = [*map(float, credit["weights"])], [*map(int, credit["credited_micros"])]
    except (TypeError, ValueError, KeyError):
        raise MalformedSignalError("a model's weights or micros are not numbers") from None
    if not len(touched[0]) == len(weights) == len(micros):
        raise MalformedSignalError("touches and a model's weights do not fit together")
    return ModelCredit(model, "", (*touched, weights, micros))


def read_alert(signal: Mapping[str, Any]) -> AlertRecord:
    """Read a record of `analytics-alerts`; raises MalformedSignalError."""
    return AlertRecord(
        alert_id=_text(signal, "alert_id"),
        rule=_text(signal, "rule"),
        severity=_text(signal, "severity"),
        state=_text(signal, "state"),
        campaign_id=_text_or_empty(signal, "campaign_id"),
        channel=_text_or_empty(signal, "channel"),
        metric=_text_or_empty(signal, "metric"),
        value=_number(signal, "value"),
        threshold=_number(signal, "threshold"),
        opened_ms=_whole(signal, "opened_at"),
        updated_ms=_whole(signal, "updated_at"),
        message=_text_or_empty(signal, "message"),
    )
