"""A little Schema Registry server for tests: the Confluent REST protocol as far as we use it, and faults on demand."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
Fault = Callable[[BaseHTTPRequestHandler], bool]
"""Answers a request in its own way and returns True, or leaves it alone and returns False."""


@dataclass
class Stored:
    """A schema as the server keeps it: text, references, id."""

    schema: str
    references: list[dict[str, Any]]
    schema_id: int
    kind: str = "AVRO"


@dataclass
class RegistryServer:
    """What the server knows, what it was asked, and the fault it has."""

    url: str = ""
    subjects: dict[str, list[Stored]] = field(default_factory=dict)
    compatibility: dict[str, str] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    fault: Fault | None = None
    refuse_with: tuple[int, int, str] | None = None

    def add(
        self, subject: str, schema: Any, references: list[dict[str, Any]] | None = None, kind: str = "AVRO"
    ) -> Stored:
        """Store a schema as the next version of a subject; the same schema again changes nothing."""
        text = schema if isinstance(schema, str) else json.dumps(schema)
        versions = self.subjects.setdefault(subject, [])
        for known in versions:
            if known.schema == text:
                return known
        highest = max((stored.schema_id for versions in self.subjects.values() for stored in versions), default=100)
        stored = Stored(text, references or [], highest + 1, kind)
        versions.append(stored)
        return stored

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        """Status and answer of a GET."""
        match path.strip("/").split("/"):
            case ["schemas", "ids", text]:
                for versions in self.subjects.values():
                    for stored in versions:
                        if str(stored.schema_id) == text:
                            return 200, _described(stored)
                return 404, {"error_code": 40403, "message": f"Schema {text} not found"}
            case ["subjects", name, "versions", wanted]:
                subject = unquote(name)
                versions = self.subjects.get(subject, [])
                if not versions:
                    return 404, {"error_code": 40401, "message": f"Subject '{subject}' not found."}
                number = len(versions) if wanted == "latest" else int(wanted)
                if not 1 <= number <= len(versions):
                    return 404, {"error_code": 40402, "message": f"Version {number} not found."}
                stored = versions[number - 1]
                more = {"subject": subject, "version": number, "id": stored.schema_id}
                return 200, more | _described(stored)
        return 404, {"error_code": 404, "message": "HTTP 404 Not Found"}

    def send(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and answer of a POST or PUT."""
        match method, path.strip("/").split("/"):
            case "POST", ["subjects", name, "versions"]:
                if self.refuse_with:
                    status, code, message = self.refuse_with
                    return status, {"error_code": code, "message": message}
                return 200, {"id": self.add(unquote(name), body["schema"], body.get("references")).schema_id}
            case "PUT", ["config", name]:
                self.compatibility[unquote(name)] = body["compatibility"]
                return 200, {"compatibility": body["compatibility"]}
        return 405, {"error_code": 405, "message": "HTTP 405 Method Not Allowed"}


def _described(stored: Stored) -> dict[str, Any]:
    answer: dict[str, Any] = {"schema": stored.schema}
    # The server leaves out what has its usual value.
    if stored.kind != "AVRO":
        answer["schemaType"] = stored.kind
    if stored.references:
        answer["references"] = stored.references
    return answer


@contextmanager
def running() -> Iterator[RegistryServer]:
    """A server on a free port, stopped at the end."""
    state = RegistryServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def do_PUT(self) -> None:
            self._answer()

        def _answer(self) -> None:
            state.requests.append(f"{self.command} {self.path}")
            state.authorizations.append(self.headers.get("Authorization"))
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if state.fault is not None and state.fault(self):
                return
            if self.command == "GET":
                status, answer = state.get(self.path)
            else:
                status, answer = state.send(self.command, self.path, json.loads(body))
            reply(self, status, json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def reply(request: BaseHTTPRequestHandler, status: int, body: bytes, length: int | None = None) -> None:
    """Send an answer; `length` claims another length than the body's."""
    request.send_response(status)
    request.send_header("Content-Type", MEDIA_TYPE)
    request.send_header("Content-Length", str(len(body) if length is None else length))
    request.end_headers()
    request.wfile.write(body)
