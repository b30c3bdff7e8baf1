"""TLS on both ports: 1.3 and nothing older, and certificates that change while the server runs."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import subprocess
import sys

import aiohttp
import grpc
import pytest
from cryptography import x509
from grpc_health.v1 import health_pb2, health_pb2_grpc

from serving.access.certificates import Certificates
from serving.client.__main__ import main as client_command
from serving.process import Process
from tests.certificate_authority import Authority
from tests.serving.local_stores import ROOT
from tests.serving.running_server import FakeFeed, NoLag, options


@pytest.fixture
def authority():
    return Authority()


def handshake(port, authority, version=ssl.TLSVersion.TLSv1_3):
    """Return (version, serial number of the server's certificate); raises OSError when there is no handshake."""
    context = ssl.create_default_context(cadata=authority.pem.decode())
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    with socket.create_connection(("127.0.0.1", port), 10) as raw:
        raw.settimeout(10)
        with context.wrap_socket(raw, server_hostname="127.0.0.1") as secured:
            found = x509.load_der_x509_certificate(secured.getpeercert(binary_form=True))
            return secured.version(), found.serial_number


@pytest.mark.asyncio
async def test_both_ports_speak_tls_and_take_over_a_new_certificate(
    clickhouse_process, redis_process, history_address, tmp_path, authority
):
    certificate, key, serial = authority.issue(tmp_path)
    process = Process(
        options(clickhouse_process.port, redis_process.port, tls_certificate=str(certificate), tls_key=str(key))
    )
    process.feed, process.lag = FakeFeed(process.hub), NoLag()
    process.figures._lag = process.lag
    await process.start()
    try:
        ports = process.grpc.port, process.http.port
        for port in ports:
            assert await asyncio.to_thread(handshake, port, authority) == ("TLSv1.3", serial)
        credentials = grpc.ssl_channel_credentials(authority.pem)
        async with grpc.aio.secure_channel(f"127.0.0.1:{ports[0]}", credentials) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            assert (await stub.Check(health_pb2.HealthCheckRequest())).status == 1
        trusting = ssl.create_default_context(cadata=authority.pem.decode())
        url = f"https://127.0.0.1:{ports[1]}/healthz"
        async with aiohttp.ClientSession() as client, client.get(url, ssl=trusting) as response:
            assert response.status == 200
        trusted = tmp_path / "authority.pem"
        trusted.write_bytes(authority.pem)
        asked = ["freshness", "--address", f"127.0.0.1:{ports[0]}", "--tenant", "t1", "--json"]
        assert await asyncio.to_thread(client_command, [*asked, "--authority", str(trusted)]) == 0
        assert await asyncio.to_thread(client_command, [*asked, "--tls", "--timeout", "5"]) == 1
        assert client_command([*asked, "--authority", str(tmp_path / "none.pem")]) == 2
        _, _, renewed = authority.issue(tmp_path)
        assert renewed != serial
        assert process.certificates.reload()
        assert not process.certificates.reload()
        for port in ports:
            assert await asyncio.to_thread(handshake, port, authority) == ("TLSv1.3", renewed)
    finally:
        await process.stop()


def test_files_that_do_not_fit_change_nothing(tmp_path, authority, caplog):
    certificate, key, _ = authority.issue(tmp_path)
    held = Certificates(certificate, key)
    good = certificate.read_bytes()
    for spoilt in (b"", b"-----BEGIN CERTIFICATE-----", Authority().pem):
        certificate.write_bytes(spoilt)
        assert not held.reload()
        assert "stays as it was" in caplog.text
        caplog.clear()
    certificate.unlink()
    assert not held.reload()
    certificate.write_bytes(good)
    assert not held.reload()
    authority.issue(tmp_path)
    assert held.reload()


def test_the_process_says_which_file_is_wrong(tmp_path, authority):
    certificate, key, _ = authority.issue(tmp_path)
    key.write_bytes(b"-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n")
    with pytest.raises(ValueError, match=r"server\.key") as refused:
        Certificates(certificate, key)
    assert "secret" not in str(refused.value)
    command = [sys.executable, "-m", "serving", "--kafka-bootstrap", "k:1", "--clickhouse-url", "http://c"]
    command += ["--redis-url", "redis://r", "--tls-certificate", str(certificate), "--tls-key", str(key)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, "Traceback" in ended.stderr) == (2, False)
    assert "server.key" in ended.stderr


def test_older_versions_of_tls_find_no_suite(clickhouse_process, redis_process, history_address, tmp_path, authority):
    """In a process of its own: gRPC reads its settings once, when it is imported."""
    certificate, key, _ = authority.issue(tmp_path)
    command = [
        sys.executable,
        "-m",
        "serving",
        "--grpc-port",
        "0",
        "--http-port",
        "0",
        "--kafka-bootstrap",
        "127.0.0.1:1",
    ]
    command += ["--clickhouse-url", f"http://127.0.0.1:{clickhouse_process.port}"]
    command += ["--redis-url", f"redis://127.0.0.1:{redis_process.port}/0"]
    command += ["--tls-certificate", str(certificate), "--tls-key", str(key)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as started:
        try:
            addresses = json.loads(started.stdout.readline())
            assert addresses["http"].startswith("https://")
            for address in addresses.values():
                port = int(address.rpartition(":")[2])
                assert handshake(port, authority)[0] == "TLSv1.3"
                with pytest.raises(OSError):  # noqa: PT011 - each port says it in its own way
                    handshake(port, authority, ssl.TLSVersion.TLSv1_2)
        finally:
            started.kill()
