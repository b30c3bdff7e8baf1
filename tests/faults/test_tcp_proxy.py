"""The proxy does what its conducts say, against a small HTTP server that counts what it has carried out."""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from tests.faults.tcp_proxy import Behaviour, Conduct, TcpProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.timeout(600)]
_SECONDS = 120.0


class Store(ThreadingHTTPServer):
    """Notes the bodies that were sent to it, then answers with their length."""

    daemon_threads = True

    def __init__(self) -> None:
        self.carried_out: list[bytes] = []
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Store

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.carried_out.append(body)
        answer = str(len(body)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def store() -> Iterator[Store]:
    server = Store()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(_SECONDS)


@pytest.fixture
def proxy(store: Store) -> Iterator[TcpProxy]:
    with TcpProxy(store.server_address[1]) as made:
        yield made


def post(proxy: TcpProxy, body: bytes) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=_SECONDS)
    try:
        connection.request("POST", "/", body)
        return connection.getresponse().read()
    finally:
        connection.close()


def test_it_forwards_requests_and_answers_of_any_size(proxy: TcpProxy, store: Store) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=_SECONDS)
    for size in (1, 70_000, 3_000_000):
        connection.request("POST", "/", b"x" * size)
        assert connection.getresponse().read() == str(size).encode()
    connection.close()
    assert [len(body) for body in store.carried_out] == [1, 70_000, 3_000_000]


def test_a_lost_reply_is_one_of_a_request_that_was_carried_out(proxy: TcpProxy, store: Store) -> None:
    told: list[int] = []
    proxy.behave(
        Behaviour(
            Conduct.LOSE_REPLIES,
            marker=b"INSERT",
            replies=2,
            before_loss=lambda: told.append(len(store.carried_out)),
        )
    )
    assert post(proxy, b"SELECT 1") == b"8"
    for number in range(2):
        assert not proxy.wait_lost(0)
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            post(proxy, b"INSERT %d" % number)
    assert proxy.wait_lost(_SECONDS)
    # Each was carried out before its reply was lost, and the third has its reply again.
    assert told == [2, 3]
    assert post(proxy, b"INSERT 2") == b"8"
    assert store.carried_out == [b"SELECT 1", b"INSERT 0", b"INSERT 1", b"INSERT 2"]


def test_the_marker_is_found_behind_much_else(proxy: TcpProxy, store: Store) -> None:
    proxy.behave(Behaviour(Conduct.LOSE_REPLIES, marker=b"INSERT", replies=1))
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        post(proxy, b"x" * 200_001 + b"INSERT" + b"y" * 200_001)
    assert len(store.carried_out) == 1


@pytest.mark.parametrize("conduct", [Conduct.REFUSE, Conduct.RESET])
def test_what_is_refused_is_not_carried_out_and_all_is_well_afterwards(
    conduct: Conduct, proxy: TcpProxy, store: Store
) -> None:
    proxy.behave(Behaviour(conduct))
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        post(proxy, b"INSERT")
    assert store.carried_out == []
    proxy.behave()
    assert post(proxy, b"INSERT") == b"6"


def test_a_delayed_answer_comes_whole(proxy: TcpProxy) -> None:
    proxy.behave(Behaviour(Conduct.DELAY, seconds=0.05))
    assert post(proxy, b"abc") == b"3"


def test_a_store_that_is_away_is_a_connection_that_ends() -> None:
    with TcpProxy(target_port=1) as proxy, pytest.raises((ConnectionError, http.client.HTTPException)):
        post(proxy, b"abc")
