"""A ClickHouse front with the schema, shared by the tests of this folder. Each test uses a tenant of its own."""

from __future__ import annotations

import uuid

import pytest

from connectors.clickhouse.arrow_sink import ArrowSink
from tests.serving.local_stores import clickhouse, database


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    process = clickhouse(tmp_path_factory.mktemp("identity"))
    process.start()
    yield ArrowSink(database(process.port, "identity_tests"))
    process.stop()


@pytest.fixture
def tenant():
    return f"t-{uuid.uuid4().hex[:12]}"
