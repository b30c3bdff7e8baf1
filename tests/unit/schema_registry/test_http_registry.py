"""The client of a Schema Registry server: what it asks, what it keeps, and what it does with a bad server."""

from __future__ import annotations

import json
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from connectors.schema_registry import (
    HttpRegistry,
    IncompatibleSchemaError,
    InvalidSchemaError,
    RegistryRefusedError,
    RegistryUnavailableError,
    UnknownSchemaError,
    open_registry,
)
from connectors.schema_registry.http_registry import RetryPolicy
from tests.unit.schema_registry.registry_server import Fault, RegistryServer, reply, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler

SUBJECT = "marketing-events-a.Thing"
THING = {"type": "record", "name": "Thing", "namespace": "a", "fields": [{"name": "x", "type": "long"}]}
THING_EXPANDED = {"type": "record", "name": "a.Thing", "fields": [{"name": "x", "type": "long"}]}
PATIENT = RetryPolicy(attempts=3, timeout_seconds=5.0, first_pause_seconds=0.0)
HASTY = RetryPolicy(attempts=2, timeout_seconds=0.2, first_pause_seconds=0.0)


@pytest.fixture
def server() -> Iterator[RegistryServer]:
    with running() as state:
        yield state


def times(count: int, fault: Fault) -> Fault:
    """The fault for the first `count` requests only."""
    left = [count]

    def limited(request: BaseHTTPRequestHandler) -> bool:
        left[0] -= 1
        return left[0] >= 0 and fault(request)

    return limited


def answer(status: int, body: bytes, length: int | None = None) -> Fault:
    def fault(request: BaseHTTPRequestHandler) -> bool:
        reply(request, status, body, length)
        return True

    return fault


def hang_up(request: BaseHTTPRequestHandler) -> bool:
    request.connection.shutdown(socket.SHUT_RDWR)
    request.close_connection = True
    return True


def test_a_schema_by_id_by_version_and_the_latest(server: RegistryServer) -> None:
    first = server.add(SUBJECT, THING)
    second = server.add(SUBJECT, THING | {"doc": "second"})
    registry = HttpRegistry(server.url, PATIENT)
    assert registry.schema(first.schema_id).definition == THING_EXPANDED
    assert registry.schema(first.schema_id).full_name == "a.Thing"
    assert registry.version(SUBJECT, 1).schema_id == first.schema_id
    assert registry.version(SUBJECT, 2).definition == THING_EXPANDED | {"doc": "second"}
    assert registry.latest(SUBJECT).schema_id == second.schema_id


def test_what_never_changes_is_asked_for_once(server: RegistryServer) -> None:
    stored = server.add(SUBJECT, THING)
    registry = HttpRegistry(server.url, PATIENT)
    for _ in range(3):
        registry.schema(stored.schema_id)
        registry.version(SUBJECT, 1)
    assert server.requests == [
        f"GET /schemas/ids/{stored.schema_id}",
        f"GET /subjects/{SUBJECT}/versions/1",
    ]


def test_the_latest_version_is_asked_for_anew(server: RegistryServer) -> None:
    server.add(SUBJECT, THING)
    registry = HttpRegistry(server.url, PATIENT)
    registry.latest(SUBJECT)
    newer = server.add(SUBJECT, THING | {"doc": "newer"})
    assert registry.latest(SUBJECT).schema_id == newer.schema_id


def test_a_subject_is_escaped_in_the_path(server: RegistryServer) -> None:
    stored = server.add("a/b c?d", THING)
    assert HttpRegistry(server.url, PATIENT).latest("a/b c?d").schema_id == stored.schema_id
    assert server.requests == ["GET /subjects/a%2Fb%20c%3Fd/versions/latest"]


def test_references_are_expanded_inline(server: RegistryServer) -> None:
    unit = {"type": "enum", "name": "Unit", "namespace": "a", "symbols": ["M"]}
    length = {
        "type": "record",
        "name": "Length",
        "namespace": "a",
        "fields": [{"name": "n", "type": "long"}, {"name": "unit", "type": "Unit"}],
    }
    box = {
        "type": "record",
        "name": "Box",
        "namespace": "a",
        "fields": [{"name": "width", "type": "Length"}, {"name": "unit", "type": "a.Unit"}],
    }
    server.add("unit", unit)
    server.add("length", length, [{"name": "a.Unit", "subject": "unit", "version": 1}])
    stored = server.add(
        "box",
        box,
        [
            {"name": "a.Length", "subject": "length", "version": 1},
            {"name": "a.Unit", "subject": "unit", "version": 1},
        ],
    )
    expanded_unit = {"type": "enum", "name": "a.Unit", "symbols": ["M"]}
    assert HttpRegistry(server.url, PATIENT).schema(stored.schema_id).definition == {
        "type": "record",
        "name": "a.Box",
        "fields": [
            {
                "name": "width",
                "type": {
                    "type": "record",
                    "name": "a.Length",
                    "fields": [{"name": "n", "type": "long"}, {"name": "unit", "type": expanded_unit}],
                },
            },
            {"name": "unit", "type": "a.Unit"},
        ],
    }


def test_references_in_a_circle_end(server: RegistryServer) -> None:
    for number in range(30):
        server.add(f"s{number}", THING, [{"name": f"a.N{number}", "subject": f"s{number + 1}", "version": 1}])
    first = server.subjects["s0"][0].schema_id
    with pytest.raises(InvalidSchemaError, match="nest deeper"):
        HttpRegistry(server.url, PATIENT).schema(first)


def test_registering_posts_the_schema_and_may_be_repeated(server: RegistryServer) -> None:
    registry = HttpRegistry(server.url, PATIENT)
    schema_id = registry.register(SUBJECT, THING_EXPANDED)
    assert registry.register(SUBJECT, THING_EXPANDED) == schema_id
    assert json.loads(server.subjects[SUBJECT][0].schema) == THING_EXPANDED
    assert registry.schema(schema_id).definition == THING_EXPANDED


def test_compatibility_is_demanded_of_the_server(server: RegistryServer) -> None:
    HttpRegistry(server.url, PATIENT).demand_compatibility(SUBJECT)
    assert server.compatibility == {SUBJECT: "FULL_TRANSITIVE"}


def test_a_refused_schema_comes_with_the_servers_explanation(server: RegistryServer) -> None:
    server.refuse_with = (409, 409, "READER_FIELD_MISSING_DEFAULT_VALUE: y")
    with pytest.raises(IncompatibleSchemaError, match="READER_FIELD_MISSING_DEFAULT_VALUE: y"):
        HttpRegistry(server.url, PATIENT).register(SUBJECT, THING)
    server.refuse_with = (422, 42201, "Invalid schema")
    with pytest.raises(InvalidSchemaError, match="Invalid schema"):
        HttpRegistry(server.url, PATIENT).register(SUBJECT, THING)
    assert len(server.requests) == 2


@pytest.mark.parametrize("ask", [lambda r: r.schema(7), lambda r: r.version(SUBJECT, 9), lambda r: r.latest("none")])
def test_what_the_server_does_not_know_is_unknown(server: RegistryServer, ask: Any) -> None:
    server.add(SUBJECT, THING)
    with pytest.raises(UnknownSchemaError):
        ask(HttpRegistry(server.url, PATIENT))
    assert len(server.requests) == 1


def test_an_unknown_id_is_not_asked_for_again_and_again(
    server: RegistryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("connectors.schema_registry.http_registry.time.monotonic", lambda: now[0])
    registry = HttpRegistry(server.url, PATIENT)
    for _ in range(5):
        with pytest.raises(UnknownSchemaError):
            registry.schema(101)
    assert len(server.requests) == 1
    stored = server.add(SUBJECT, THING)
    assert stored.schema_id == 101
    now[0] += 31
    assert registry.schema(101).definition == THING_EXPANDED


@pytest.mark.parametrize("body", [b"<html>not here</html>", b'{"message": "no route"}', b""])
def test_a_404_from_something_else_says_nothing_about_a_schema(server: RegistryServer, body: bytes) -> None:
    server.fault = answer(404, body)
    with pytest.raises(RegistryRefusedError):
        HttpRegistry(server.url, PATIENT).schema(7)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_server_that_will_not_answer_is_not_asked_again(server: RegistryServer, status: int) -> None:
    server.fault = answer(status, b'{"error_code": 40101, "message": "no"}')
    with pytest.raises(RegistryRefusedError, match=f"{status}: no"):
        HttpRegistry(server.url, PATIENT).schema(7)
    assert len(server.requests) == 1


PASSING_FAULTS = {
    "500": answer(500, b'{"error_code": 50001, "message": "store"}'),
    "503 without a body": answer(503, b""),
    "429": answer(429, b"slow down"),
    "no JSON": answer(200, b"<html>"),
    "no object": answer(200, b"[1]"),
    "cut off": answer(200, b'{"schema": ', length=500),
    "hung up": hang_up,
}


@pytest.mark.parametrize("name", PASSING_FAULTS)
def test_a_fault_that_passes_is_waited_out(server: RegistryServer, name: str) -> None:
    stored = server.add(SUBJECT, THING)
    server.fault = times(2, PASSING_FAULTS[name])
    assert HttpRegistry(server.url, PATIENT).schema(stored.schema_id).definition == THING_EXPANDED
    assert len(server.requests) == 3


@pytest.mark.parametrize("name", PASSING_FAULTS)
def test_a_fault_that_stays_ends_in_an_error(server: RegistryServer, name: str) -> None:
    server.fault = PASSING_FAULTS[name]
    with pytest.raises(RegistryUnavailableError):
        HttpRegistry(server.url, PATIENT).schema(7)
    assert len(server.requests) == 3


def test_pauses_double_up_to_a_limit_with_jitter() -> None:
    policy = RetryPolicy(first_pause_seconds=0.1, longest_pause_seconds=0.5)
    for failures, longest in ((1, 0.1), (2, 0.2), (3, 0.4), (4, 0.5), (50, 0.5)):
        pauses = [policy.pause(failures) for _ in range(200)]
        assert 0 <= min(pauses) < longest / 2 < max(pauses) <= longest


def test_there_is_a_pause_between_attempts_and_none_after_the_last(server: RegistryServer) -> None:
    server.fault = answer(500, b"")
    pauses: list[float] = []
    with pytest.raises(RegistryUnavailableError):
        HttpRegistry(server.url, RetryPolicy(attempts=4), sleep=pauses.append).schema(7)
    assert len(pauses) == 3


def test_a_server_that_is_down_is_unavailable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(RegistryUnavailableError):
            HttpRegistry(url, PATIENT).schema(1)


@pytest.mark.parametrize("when", ["before the headers", "within the body"])
def test_a_server_that_does_not_finish_is_given_up(server: RegistryServer, when: str) -> None:
    done = threading.Event()

    def stall(request: BaseHTTPRequestHandler) -> bool:
        if when == "within the body":
            reply(request, 200, b'{"schema"', length=500)
            request.wfile.flush()
        done.wait(30)
        return True

    server.fault = stall
    try:
        with pytest.raises(RegistryUnavailableError):
            HttpRegistry(server.url, HASTY).schema(7)
        assert len(server.requests) == 2
    finally:
        done.set()


def test_a_server_that_drips_is_given_up(server: RegistryServer) -> None:
    done = threading.Event()

    def drip(request: BaseHTTPRequestHandler) -> bool:
        # Each byte comes well before the socket's time-out; only the whole takes too long.
        reply(request, 200, b"{", length=500)
        while not done.wait(0.05):
            try:
                request.wfile.write(b" ")
            except OSError:
                break
        return True

    server.fault = drip
    try:
        with pytest.raises(RegistryUnavailableError, match="too long"):
            HttpRegistry(server.url, HASTY).schema(7)
    finally:
        done.set()


def test_an_answer_that_is_too_large_is_refused(server: RegistryServer) -> None:
    server.fault = answer(200, b" " * ((1 << 20) + 1))
    with pytest.raises(RegistryUnavailableError, match="larger than"):
        HttpRegistry(server.url, PATIENT).schema(7)


@pytest.mark.parametrize(
    ("schema", "kind", "message"),
    [
        ("syntax = 'proto3';", "PROTOBUF", "PROTOBUF"),
        ("{", "AVRO", "not JSON"),
        ('{"type": "record"}', "AVRO", "needs a name"),
        (
            '{"type": "record", "name": "R", "fields": [{"name": "x", "type": "Gone"}]}',
            "AVRO",
            "'Gone' is used but defined nowhere",
        ),
        ('"string"', "AVRO", "is a record"),
    ],
)
def test_a_schema_that_cannot_be_used_is_invalid(server: RegistryServer, schema: str, kind: str, message: str) -> None:
    stored = server.add(SUBJECT, schema, kind=kind)
    with pytest.raises(InvalidSchemaError, match=message):
        HttpRegistry(server.url, PATIENT).schema(stored.schema_id)


def test_a_schema_nested_without_end_is_invalid(server: RegistryServer) -> None:
    deep = '{"type": "array", "items": ' * 5_000 + '"long"' + "}" * 5_000
    stored = server.add(SUBJECT, f'{{"type": "record", "name": "R", "fields": [{{"name": "x", "type": {deep}}}]}}')
    with pytest.raises(InvalidSchemaError):
        HttpRegistry(server.url, PATIENT).schema(stored.schema_id)


def test_an_answer_without_an_id_is_invalid(server: RegistryServer) -> None:
    server.fault = answer(200, b'{"schema": "{}"}')
    with pytest.raises(InvalidSchemaError, match="no integer 'id'"):
        HttpRegistry(server.url, PATIENT).latest(SUBJECT)


def test_credentials_are_sent_and_never_shown(server: RegistryServer) -> None:
    url = server.url.replace("http://", "http://jo%40x:pa%2Fss@")
    registry = HttpRegistry(url, PATIENT)
    server.fault = answer(401, b"")
    with pytest.raises(RegistryRefusedError) as raised:
        registry.schema(1)
    assert server.authorizations == ["Basic am9AeDpwYS9zcw=="]  # printf %s 'jo@x:pa/ss' | base64
    assert "pa" not in str(raised.value).replace(server.url, "")
    assert registry.url == server.url


def test_credentials_do_not_follow_a_redirect(server: RegistryServer) -> None:
    with running() as other:

        def redirect(request: BaseHTTPRequestHandler) -> bool:
            request.send_response(302)
            request.send_header("Location", other.url + request.path)
            request.send_header("Content-Length", "0")
            request.end_headers()
            return True

        server.fault = redirect
        other.add(SUBJECT, THING)
        HttpRegistry(server.url.replace("http://", "http://me:secret@"), PATIENT).latest(SUBJECT)
        assert server.authorizations[0] is not None
        assert other.authorizations == [None]


@pytest.mark.parametrize("url", ["ftp://host", "http://", "host:8081", "http://host:notaport", "http://host:99999"])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="schema registry address"):
        HttpRegistry(url)


def test_an_address_opens_a_server_and_a_path_opens_files(server: RegistryServer) -> None:
    opened = open_registry(server.url + "/")
    assert isinstance(opened, HttpRegistry)
    assert opened.url == server.url
    with pytest.raises(InvalidSchemaError, match=r"registry\.json"):
        open_registry("/nowhere")


def test_threads_share_a_registry(server: RegistryServer) -> None:
    stored = [server.add(f"s{number}", THING | {"doc": str(number)}) for number in range(8)]
    registry = HttpRegistry(server.url, PATIENT)
    found: list[str] = []

    def ask() -> None:
        found.extend(registry.schema(entry.schema_id).definition["doc"] for entry in stored)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted([str(number) for number in range(8)] * 6)
