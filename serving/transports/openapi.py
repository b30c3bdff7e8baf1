"""The OpenAPI document of the REST paths, made from the contract's descriptors."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import FieldDescriptor

from serving.transports.charts import BODILESS, CHARTS, DASHBOARD_PATHS, FILTER_OPTIONS, LIVE, METRICS, POLLED
from serving.transports.query_parameters import RANGE, SELECTED, VIEW, enum_words, parameters_of, part_of

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, MethodDescriptor

_SCALARS: dict[int, dict[str, Any]] = {
    FieldDescriptor.TYPE_STRING: {"type": "string"},
    FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.TYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.TYPE_UINT32: {"type": "integer", "format": "int64"},
    # ProtoJSON writes integers of 64 bits as text, because a browser's numbers do not hold them.
    FieldDescriptor.TYPE_INT64: {"type": "string", "format": "int64"},
    FieldDescriptor.TYPE_UINT64: {"type": "string", "format": "uint64"},
}
_WELL_KNOWN: dict[str, dict[str, Any]] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?\d+(\.\d+)?s$"},
}
_RANGE_HELP: dict[str, tuple[dict[str, Any], str]] = {
    "start": ({"type": "string", "format": "date-time"}, "start of the range"),
    "end": ({"type": "string", "format": "date-time"}, "end of the range; absent: now"),
    "last": (
        {"type": "string", "pattern": r"^\d{1,9}[smhdw]$"},
        "instead of start and end: the range so long until now",
    ),
}
_ERRORS = {
    "400": "a parameter is wrong; details name it",
    "401": "the caller is not known",
    "403": "the caller may not see this",
    "404": "there is no such thing",
    "429": "the server is at its limit, or the answer is too large",
    "503": "no store answers and nothing is known",
    "504": "the answer was not ready in time",
}

_ERROR_CONTENT = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}


@cache
def document() -> dict[str, Any]:
    """Return the document."""
    schemas: dict[str, Any] = {"Error": _error_schema()}
    charts = sorted(CHARTS)
    paths: dict[str, Any] = {
        "/api/v1/dashboard/metrics": {"get": _get("Sums and KPIs of a range", METRICS, schemas)},
        "/api/v1/dashboard/filters": {"post": _filters(schemas)},
        "/api/v1/dashboard/realtime/{tenant_id}": {"get": _realtime(schemas)},
    }
    # One path a chart, because each has parameters and an answer of its own.
    for chart in charts:
        name = f"/api/v1/dashboard/charts/{chart}"
        paths[name] = {"get": _get(f"The figures of the chart {chart}: {CHARTS[chart].name}", CHARTS[chart], schemas)}
    for (verb, path), method in DASHBOARD_PATHS.items():
        paths.setdefault(path, {})[verb.lower()] = _dashboards(verb, path, method, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tributary dashboard",
            "version": "1",
            "description": "The answers of tributary.v1 as JSON (ProtoJSON, with the contract's field names) and CSV. "
            "What a field means is said in serving/proto.",
        },
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _get(
    summary: str, method: MethodDescriptor, schemas: dict[str, Any], *, path: tuple[str, ...] = ()
) -> dict[str, Any]:
    return {
        "summary": summary,
        "operationId": method.name,
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in path),
            *(_parameter(name, field) for name, field in parameters_of(method.input_type).items() if name not in path),
            {
                "name": "format",
                "in": "query",
                "schema": {"enum": ["json", "csv"]},
                "description": "or the header Accept",
            },
            {"name": "If-None-Match", "in": "header", "schema": {"type": "string"}, "description": "the last ETag"},
        ],
        "responses": {
            "200": {
                "description": "the answer",
                "headers": {"ETag": {"schema": {"type": "string"}}},
                "content": {
                    "application/json": {"schema": _reference(method.output_type, schemas)},
                    "text/csv": {"schema": {"type": "string"}},
                },
            },
            "304": {"description": "the figures are those of the ETag"},
            **_errors(),
        },
    }


def _realtime(schemas: dict[str, Any]) -> dict[str, Any]:
    described = _get("What is current, once or live", POLLED, schemas, path=("tenant_id",))
    described["description"] = (
        "With `Accept: text/event-stream` a live stream of server-sent events (snapshot, changes, heartbeat, error), "
        "whose ids are cursors for Last-Event-ID. As a WebSocket the same messages, one JSON object each; go on with "
        "the parameter resume_cursor. Otherwise the newest windows once, with an ETag. "
        f"Streams, with the parameters that they take: {', '.join(map(_stream, LIVE))}."
    )
    described["parameters"] += [
        {"name": "stream", "in": "query", "schema": {"enum": sorted(LIVE)}, "description": "what to watch"},
        {"name": "resume_cursor", "in": "query", "schema": {"type": "string"}},
        {"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}},
    ]
    streams = [_reference(method.output_type, schemas) for method in LIVE.values()]
    described["responses"]["200"]["content"]["text/event-stream"] = {"schema": {"oneOf": streams}}
    return described


def _stream(name: str) -> str:
    parameters = sorted({*parameters_of(LIVE[name].input_type)} - {"tenant_id", "resume_cursor"})
    return f"`{name}` ({', '.join(parameters)})" if parameters else f"`{name}`"


def _filters(schemas: dict[str, Any]) -> dict[str, Any]:
    names = {"type": "array", "items": {"type": "string"}}
    return {
        "summary": "Check a filter, and list the values that figures under it have, those of the largest cost first",
        "operationId": "CheckFilter",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _reference(FILTER_OPTIONS.input_type, schemas)}},
        },
        "responses": {
            "200": {
                "description": "the filter is right",
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "properties": {
                                "filter": {"type": "string"},
                                "campaign_ids": names,
                                "channels": names,
                                "currencies": names,
                                "more": {"type": "boolean"},
                                "covered_range": {"$ref": "#/components/schemas/TimeRange"},
                                "freshness": {"$ref": "#/components/schemas/Freshness"},
                            },
                        }
                    }
                },
            },
            **_errors(),
        },
    }


def _dashboards(verb: str, path: str, method: MethodDescriptor, schemas: dict[str, Any]) -> dict[str, Any]:
    in_path = tuple(name for name in method.input_type.fields_by_name if f"{{{name}}}" in path)
    described: dict[str, Any] = {
        "summary": method.name,
        "operationId": method.name,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in in_path
        ],
        "responses": {
            "200": {
                "description": "the answer",
                "content": {"application/json": {"schema": _reference(method.output_type, schemas)}},
            },
            "409": {"description": "it was changed meanwhile", "content": _ERROR_CONTENT},
            **_errors(),
        },
    }
    if verb in BODILESS:
        known = parameters_of(method.input_type).items()
        described["parameters"] += [_parameter(name, field) for name, field in known if name not in in_path]
    else:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _reference(method.input_type, schemas)}},
            "description": "without the fields that the path gives",
        }
    return described


def _errors() -> dict[str, Any]:
    return {code: {"description": text, "content": _ERROR_CONTENT} for code, text in _ERRORS.items()}


def _parameter(name: str, field: FieldDescriptor) -> dict[str, Any]:
    kind = field.message_type.full_name if field.message_type is not None else ""
    if kind == RANGE:
        schema, text = _RANGE_HELP[name]
        return {"name": name, "in": "query", "schema": schema, "description": text}
    if kind in SELECTED:
        inner = part_of(field, SELECTED[kind][name])
        return {"name": name, "in": "query", "schema": {"type": "array", "items": _written(inner)}}
    if kind == VIEW:
        schema = {"type": "array", "items": {"type": "string", "pattern": r"^[a-z_]+(:\d{1,9}[smhdw])?$"}}
        text = "a model, or a model and a look-back such as linear:7d"
        return {"name": name, "in": "query", "schema": schema, "description": text}
    written = _written(field)
    if field.is_repeated:
        written = {"type": "array", "items": written}
    return {"name": name, "in": "query", "required": name == "tenant_id", "schema": written}


def _written(field: FieldDescriptor) -> dict[str, Any]:
    """Return the schema of a field's value in a parameter."""
    if field.enum_type is not None:
        return {"enum": list(enum_words(field))}
    if field.message_type is not None:
        return _WELL_KNOWN[field.message_type.full_name]
    return _SCALARS[field.type]


def _reference(descriptor: Descriptor, schemas: dict[str, Any]) -> dict[str, Any]:
    if descriptor.full_name in _WELL_KNOWN:
        return _WELL_KNOWN[descriptor.full_name]
    if descriptor.name not in schemas:
        properties: dict[str, Any] = {}
        schemas[descriptor.name] = {"type": "object", "properties": properties}
        for field in descriptor.fields:
            if field.message_type is not None:
                schema = _reference(field.message_type, schemas)
            elif field.enum_type is not None:
                schema = {"enum": [value.name for value in field.enum_type.values]}
            else:
                schema = _SCALARS[field.type]
            properties[field.name] = {"type": "array", "items": schema} if field.is_repeated else schema
    return {"$ref": f"#/components/schemas/{descriptor.name}"}


def _error_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "error": {
                "type": "object",
                "properties": {
                    "code": {"type": "integer"},
                    "status": {"type": "string"},
                    "message": {"type": "string"},
                    "details": {"type": "array", "items": {"type": "object"}},
                },
            }
        },
    }
