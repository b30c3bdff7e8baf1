"""One front for all tests of a file; every test works in a database of its own."""

from __future__ import annotations

import itertools

import pytest

from tests.stack.clickhouse_front.front_process import FrontProcess

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    started = FrontProcess(tmp_path_factory.mktemp("clickhouse") / "data").start()
    yield started
    assert started.process.poll() is None, f"the front died: {started.process.stderr.read()}"
    started.stop()


@pytest.fixture
def database(front):
    name = f"t{next(_numbers)}"
    front.client().command(f"CREATE DATABASE {name}")
    return name


@pytest.fixture
def client(front, database):
    return front.client(database=database)
