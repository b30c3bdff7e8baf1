"""A database filled by an ideal pipeline from a world with every fault."""

from __future__ import annotations

import base64
import itertools
import json

import pytest

from bench.world.command_line import main
from connectors.clickhouse.migrations import migrate
from tests.oracle import Answer
from tests.stack.clickhouse_front.front_process import FrontProcess
from tests.stack.oracle.ideal_pipeline import store

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def record_file(tmp_path_factory, seed):
    path = tmp_path_factory.mktemp("world") / "record.jsonl"
    faults = "dup=0.03,conflict=0.01,late=0.03,out_of_order=0.1,poison=0.05,invalid=0.09"
    options = ["--count", "2000", "--rate", "100", "--seed", str(seed), "--edge-share", "0.2", "--faults", faults]
    assert main(["write", "--out", str(path), *options]) == 0
    return path


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    started = FrontProcess(tmp_path_factory.mktemp("clickhouse") / "data").start()
    yield started
    started.stop()


@pytest.fixture
def filled(front, record_file):
    """A client of a fresh database that holds exactly what it should, and the database's name."""
    name = f"oracle{next(_numbers)}"
    migrate(front.client(), name)
    client = front.client(database=name)
    lines = [json.loads(line) for line in record_file.read_bytes().splitlines()]
    values = {line["n"]: None if line["value_b64"] is None else base64.b64decode(line["value_b64"]) for line in lines}
    with Answer(record_file) as answer:
        store(client, answer, values)
    return client, name
