"""Stores that all tests of a run share. Each test uses tenants of its own."""

from __future__ import annotations

import uuid

import pytest
import uvloop

from tests.serving.local_stores import clickhouse, database, redis_server


def pytest_asyncio_loop_factories(config, item):
    """The event loop that the serving process runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def stores_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("stores")


@pytest.fixture(scope="session")
def clickhouse_process(stores_folder):
    process = clickhouse(stores_folder)
    process.start()
    yield process
    process.stop()


@pytest.fixture(scope="session")
def redis_process(stores_folder):
    process = redis_server(stores_folder)
    process.start()
    yield process
    process.stop()


@pytest.fixture(scope="session")
def history_address(clickhouse_process):
    return database(clickhouse_process.port, "serving_tests")


@pytest.fixture(autouse=True, scope="session")
def patient_streams():
    """On a busy machine a stream waits for a store that works for as long as a call does."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("serving.handlers.call.STREAM_READ_SECONDS", 40.0)
        yield


@pytest.fixture
def tenant():
    return f"t-{uuid.uuid4().hex[:12]}"
