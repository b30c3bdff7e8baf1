"""Requests of the contract written as query parameters.

A parameter has the name of its field. What is a message in the contract is flat here: a range is `start`, `end` and
`last`; a selection is `campaign`, `channel`, `currency` (of alerts: `state`, `severity`, `campaign`, `rule`); a view of
a comparison is `view=linear` or `view=linear:7d`. Enum values are written without their prefix, in lower case. Repeated
fields may be given again, or with commas.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from serving.errors import invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from google.protobuf.descriptor import Descriptor
    from google.protobuf.message import Message

RANGE, SELECTION, ALERT_SELECTION, VIEW = (
    f"tributary.v1.{name}" for name in ("TimeRange", "CampaignSelection", "AlertSelection", "AttributionView")
)
SELECTED = {
    SELECTION: {"campaign": "campaign_ids", "channel": "channels", "currency": "currencies"},
    ALERT_SELECTION: {"campaign": "campaign_ids", "state": "states", "severity": "severities", "rule": "rules"},
}
"""Parameters of a selection, and the fields that they fill."""
RANGE_PARAMETERS = ("start", "end", "last")
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_LENGTH = re.compile(r"(\d{1,9})([smhdw])")
_WHOLE = re.compile(r"-?\d{1,18}")
# As many values as the contract allows of any list; the handlers check each list by itself.
MOST_VALUES = 1_000


def parameters_of(descriptor: Descriptor) -> dict[str, FieldDescriptor]:
    """Return the parameters of a request, each with the field that it fills or is a part of."""
    found: dict[str, FieldDescriptor] = {}
    for field in descriptor.fields:
        kind = field.message_type.full_name if field.message_type is not None else ""
        if kind == RANGE:
            found.update(dict.fromkeys(RANGE_PARAMETERS, field))
        elif kind in SELECTED:
            found.update(dict.fromkeys(SELECTED[kind], field))
        elif kind == VIEW:
            found["view"] = field
        else:
            found[field.name] = field
    return found


def read_request(descriptor: Descriptor, given: Iterable[tuple[str, str]], fixed: Mapping[str, str]) -> Message:
    """Return the request that query parameters ask for; `fixed` holds fields that come from the path.

    Raises:
        ServingError: a parameter is unknown, or its value is not of its kind.
    """
    request = message_factory.GetMessageClass(descriptor)()
    known = parameters_of(descriptor)
    values: dict[str, list[str]] = {}
    for name, value in given:
        if name not in known or name in fixed:
            raise invalid(name[:100], f"is not a parameter here; allowed: {', '.join(sorted({*known} - {*fixed}))}")
        values.setdefault(name, []).append(value)
    for name, value in fixed.items():
        setattr(request, name, value)
    for name, texts in values.items():
        _fill(request, name, known[name], texts)
    return request


def _fill(request: Message, name: str, field: FieldDescriptor, texts: Sequence[str]) -> None:
    kind = field.message_type.full_name if field.message_type is not None else ""
    target: Any = getattr(request, field.name)
    if kind in SELECTED:
        inner = part_of(field, SELECTED[kind][name])
        getattr(target, inner.name).extend(_value(name, inner, text) for text in _split(name, texts))
    elif kind == VIEW:
        for text in _split(name, texts):
            model, _, lookback = text.partition(":")
            view = target.add(model=model)
            if lookback:
                view.lookback.CopyFrom(_length(name, lookback))
    elif field.is_repeated:
        target.extend(_value(name, field, text) for text in _split(name, texts))
    else:
        if len(texts) > 1:
            raise invalid(name, "must not be given more than once")
        if kind == RANGE:
            part = {"start": "start_time", "end": "end_time", "last": "last"}[name]
            getattr(target, part).CopyFrom(_length(name, texts[0]) if name == "last" else _moment(name, texts[0]))
        elif kind == "google.protobuf.Timestamp":
            target.CopyFrom(_moment(name, texts[0]))
        else:
            setattr(request, field.name, _value(name, field, texts[0]))


def _split(name: str, texts: Iterable[str]) -> list[str]:
    found = [part for text in texts for part in text.split(",") if part]
    if len(found) > MOST_VALUES:
        raise invalid(name, f"must not have more than {MOST_VALUES} values")
    return found


def _value(name: str, field: FieldDescriptor, text: str) -> str | int:
    if field.type == FieldDescriptor.TYPE_STRING:
        return text
    if field.enum_type is not None:
        words = enum_words(field)
        if text not in words:
            raise invalid(name, f"allowed: {', '.join(words)}")
        return words[text]
    if field.type != FieldDescriptor.TYPE_INT32:
        raise AssertionError(f"no query parameter is made of {field.full_name}")
    if not _WHOLE.fullmatch(text) or abs(int(text)) >= 2**31:
        raise invalid(name, "must be a whole number of 32 bits")
    return int(text)


def part_of(field: FieldDescriptor, name: str) -> FieldDescriptor:
    """Return a field of the message that a field holds."""
    if field.message_type is None:
        raise AssertionError(f"{field.full_name} holds no message")
    return field.message_type.fields_by_name[name]


def enum_words(field: FieldDescriptor) -> dict[str, int]:
    """Return the values of an enum field as they are written in parameters."""
    if field.enum_type is None:
        raise AssertionError(f"{field.full_name} is no enum")
    values = {value.number: value.name for value in field.enum_type.values}
    prefix = values.pop(0).removesuffix("UNSPECIFIED")
    return {name.removeprefix(prefix).lower(): number for number, name in values.items()}


def _moment(name: str, text: str) -> Timestamp:
    made = Timestamp()
    try:
        made.FromJsonString(text)
    except ValueError:
        raise invalid(name, "must be a UTC time such as 2026-03-01T12:00:00Z") from None
    return made


def _length(name: str, text: str) -> Duration:
    found = _LENGTH.fullmatch(text)
    if not found:
        raise invalid(name, "must be a number and s, m, h, d or w, such as 15m")
    return Duration(seconds=int(found[1]) * UNIT_SECONDS[found[2]])
