"""The registry on a server that speaks the Confluent Schema Registry REST protocol."""

import base64
import http.client
import json
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from connectors.schema_registry.references import expand
from connectors.schema_registry.registry import (
    Definition,
    IncompatibleSchemaError,
    InvalidSchemaError,
    RegisteredSchema,
    RegistryError,
    RegistryRefusedError,
    RegistryUnavailableError,
    UnknownSchemaError,
)

_MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
# The largest event schema is below 10 KiB; a server that sends more than this is not sending a schema.
_LARGEST_ANSWER = 1 << 20
# Ids that the server does not know are remembered so that a stream of bad messages does not become a stream of
# requests, and forgotten so that a schema registered late is found.
_UNKNOWN_SECONDS = 30.0
_UNKNOWN_REMEMBERED = 10_000
# Subject, version or schema not found. A 404 without one of these comes from something that is no schema registry, such
# as a proxy or a wrong path, and says nothing about any schema.
_NOT_FOUND_CODES = frozenset({40401, 40402, 40403})
_LATER = frozenset({http.HTTPStatus.REQUEST_TIMEOUT, http.HTTPStatus.TOO_MANY_REQUESTS})
# References nest two deep in our schemas. The bound ends a cycle on a faulty server.
_DEEPEST_REFERENCE = 16


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to try. The whole call ends within about attempts * (timeout + longest_pause) seconds."""

    attempts: int = 4
    timeout_seconds: float = 5.0
    first_pause_seconds: float = 0.1
    longest_pause_seconds: float = 2.0

    def pause(self, failures: int) -> float:
        """Seconds to wait after this many failures: doubling, with full jitter so that clients spread out."""
        ceiling = min(self.longest_pause_seconds, self.first_pause_seconds * 2 ** (failures - 1))
        return random.uniform(0, ceiling)  # noqa: S311 - jitter needs no secrecy


class HttpRegistry:
    """Schemas from a server. Schemas and versions are immutable and cached for good; `latest` asks every time.

    Calls block up to the retry policy's bound. Safe to share between threads. An address may carry `user:password@`,
    sent as basic authentication and shown nowhere.
    """

    def __init__(self, url: str, retry: RetryPolicy | None = None, sleep: Callable[[float], None] = time.sleep) -> None:
        """Remember the address; nothing is asked yet. Raises ValueError for an address that is not http(s)."""
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"schema registry address must be http(s)://host[:port], got scheme {parts.scheme!r}")
        try:
            parts.port  # noqa: B018 - reading it checks it
        except ValueError as error:
            raise ValueError(f"schema registry address: {error}") from None
        host = parts.netloc.rpartition("@")[2]
        self.url = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
        self._authorization: str | None = None
        if parts.username is not None:
            secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            self._authorization = "Basic " + base64.b64encode(secret).decode()
        self._retry = retry or RetryPolicy()
        self._sleep = sleep
        self._lock = threading.Lock()
        self._schemas: dict[int, RegisteredSchema] = {}
        self._versions: dict[tuple[str, int], RegisteredSchema] = {}
        self._unknown_until: dict[int, float] = {}

    def schema(self, schema_id: int) -> RegisteredSchema:
        """The schema with this id."""
        known = self._schemas.get(schema_id)
        if known is not None:
            return known
        if self._unknown_until.get(schema_id, 0.0) > time.monotonic():
            raise UnknownSchemaError(f"no schema with id {schema_id}")
        try:
            answer = self._call("GET", f"/schemas/ids/{schema_id}")
        except UnknownSchemaError:
            self._remember_unknown(schema_id)
            raise
        return self._remember(schema_id, answer)

    def version(self, subject: str, version: int) -> RegisteredSchema:
        """One version of a subject."""
        known = self._versions.get((subject, version))
        if known is None:
            known = self._of_subject(subject, str(version))
            with self._lock:
                self._versions[subject, version] = known
        return known

    def latest(self, subject: str) -> RegisteredSchema:
        """The newest version of a subject, as of now."""
        return self._of_subject(subject, "latest")

    def register(self, subject: str, definition: Definition) -> int:
        """Register a schema, references expanded, as the subject's next version and return its id.

        Registering a schema that the subject already has returns its id and changes nothing, so a repeat is safe.
        Raises IncompatibleSchemaError with the server's explanation when the server refuses.
        """
        body = {"schemaType": "AVRO", "schema": json.dumps(definition)}
        answer = self._call("POST", f"/subjects/{quote(subject, safe='')}/versions", body)
        return _integer(answer, "id")

    def demand_compatibility(self, subject: str) -> None:
        """Have the server refuse versions of the subject that any older one could not read or be read by."""
        self._call("PUT", f"/config/{quote(subject, safe='')}", {"compatibility": "FULL_TRANSITIVE"})

    def _of_subject(self, subject: str, version: str) -> RegisteredSchema:
        answer = self._call("GET", f"/subjects/{quote(subject, safe='')}/versions/{version}")
        return self._remember(_integer(answer, "id"), answer)

    def _remember(self, schema_id: int, answer: dict[str, Any]) -> RegisteredSchema:
        found = RegisteredSchema(schema_id, self._definition(answer))
        with self._lock:
            return self._schemas.setdefault(schema_id, found)

    def _remember_unknown(self, schema_id: int) -> None:
        with self._lock:
            if len(self._unknown_until) >= _UNKNOWN_REMEMBERED:
                self._unknown_until.clear()
            self._unknown_until[schema_id] = time.monotonic() + _UNKNOWN_SECONDS

    def _definition(self, answer: dict[str, Any]) -> Definition:
        types: dict[str, Any] = {}
        self._collect_references(answer, types, _DEEPEST_REFERENCE)
        return expand(_parse(answer), types.__getitem__)

    def _collect_references(self, answer: dict[str, Any], types: dict[str, Any], depth: int) -> None:
        for reference in answer.get("references") or ():
            if depth == 0:
                raise InvalidSchemaError(f"{self.url}: schema references nest deeper than {_DEEPEST_REFERENCE}")
            name, subject = str(reference["name"]), str(reference["subject"])
            if name not in types:
                path = f"/subjects/{quote(subject, safe='')}/versions/{_integer(reference, 'version')}"
                target = self._call("GET", path)
                types[name] = _parse(target)
                self._collect_references(target, types, depth - 1)

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        failures = 0
        while True:
            try:
                return self._attempt(method, path, body)
            except RegistryRefusedError:
                raise
            except RegistryUnavailableError:
                failures += 1
                if failures >= self._retry.attempts:
                    raise
            self._sleep(self._retry.pause(failures))

    def _attempt(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        """One request. RegistryUnavailableError means that another attempt may succeed."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": _MEDIA_TYPE, "Content-Type": _MEDIA_TYPE}
        request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310 - scheme is checked
        if self._authorization is not None:
            # Not sent on when the server redirects: the secret is for this server only.
            request.add_unredirected_header("Authorization", self._authorization)
        deadline = time.monotonic() + self._retry.timeout_seconds
        try:
            with urllib.request.urlopen(request, timeout=self._retry.timeout_seconds) as response:  # noqa: S310
                text = _read_within(response, deadline)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(error, path) from None
        except (OSError, http.client.HTTPException, TimeoutError) as error:
            raise RegistryUnavailableError(f"{self.url}{path}: {type(error).__name__}: {error}") from error
        try:
            answer = json.loads(text)
        except ValueError as error:
            raise RegistryUnavailableError(f"{self.url}{path}: the answer is not JSON") from error
        if not isinstance(answer, dict):
            raise RegistryUnavailableError(f"{self.url}{path}: the answer is not a JSON object")
        return answer

    def _refusal(self, error: urllib.error.HTTPError, path: str) -> RegistryError:
        code, message = 0, error.reason
        try:
            answer = json.loads(error.read(_LARGEST_ANSWER))
            code, message = int(answer["error_code"]), str(answer["message"])
        except (ValueError, KeyError, TypeError, OSError, http.client.HTTPException):
            pass  # not from a registry, or broken: the status has to do
        detail = f"{self.url}{path}: {error.code}: {message}"
        if code in _NOT_FOUND_CODES:
            return UnknownSchemaError(detail)
        if error.code == http.HTTPStatus.CONFLICT:
            return IncompatibleSchemaError(detail)
        if error.code == http.HTTPStatus.UNPROCESSABLE_ENTITY:
            return InvalidSchemaError(detail)
        if error.code >= http.HTTPStatus.INTERNAL_SERVER_ERROR or error.code in _LATER:
            return RegistryUnavailableError(detail)
        return RegistryRefusedError(detail)


def _read_within(response: http.client.HTTPResponse, deadline: float) -> bytes:
    """The body. The socket's time-out bounds each read only, so a server that drips bytes is cut off here."""
    chunks: list[bytes] = []
    size = 0
    while chunk := response.read1(65536):
        chunks.append(chunk)
        size += len(chunk)
        if size > _LARGEST_ANSWER:
            raise OSError(f"the answer is larger than {_LARGEST_ANSWER} bytes")
        if time.monotonic() > deadline:
            raise TimeoutError("the answer took too long")
    return b"".join(chunks)


def _parse(answer: dict[str, Any]) -> Any:
    kind = answer.get("schemaType", "AVRO")
    if kind != "AVRO":
        raise InvalidSchemaError(f"schema is of type {kind!r}, not AVRO")
    try:
        return json.loads(answer["schema"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InvalidSchemaError(f"schema text is missing or not JSON: {error}") from error


def _integer(answer: dict[str, Any], key: str) -> int:
    value = answer.get(key)
    if not isinstance(value, int):
        raise InvalidSchemaError(f"the registry's answer has no integer {key!r}")
    return value
