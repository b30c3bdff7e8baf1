"""The settings command: put, show, list, writers at the same time, and a broker that is not there."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, ClassVar

import pytest

from connectors.kafka import control as control_topic
from connectors.kafka.control import ControlTopic
from connectors.kafka.settings import KafkaSettings
from jobs import attribution_control, control
from jobs.attribution_control import put_models, put_settings, read_all, read_one
from tests.conftest import free_port_base
from udfs.attribution.published_model import PublishedModel
from udfs.attribution.tenant_settings import record_of

if TYPE_CHECKING:
    from pathlib import Path

MODEL = PublishedModel("m1", "", 1, {"email": 0.5})


class MemoryTopic(ControlTopic):
    """The topic as a dictionary; tests/stack/test_control_topic.py has the real one."""

    records: ClassVar[dict[str, list[bytes]]] = {}
    lock: ClassVar[threading.Lock] = threading.Lock()

    def create(self) -> bool:
        return True

    def put(self, key: str, value: bytes) -> None:
        with self.lock:
            self.records.setdefault(key, []).append(value)

    def read(self) -> dict[str, list[bytes]]:
        with self.lock:
            return {key: list(values) for key, values in self.records.items()}


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> ControlTopic:
    monkeypatch.setattr(MemoryTopic, "records", {})
    monkeypatch.setattr(control, "ControlTopic", MemoryTopic)
    return MemoryTopic(KafkaSettings(kafka_bootstrap="nowhere:1"), "measurement-control")


def run(topic: ControlTopic, *words: str) -> int:
    return control.main(["--kafka-bootstrap", topic.kafka.kafka_bootstrap, "settings", *words])


def test_settings_are_put_shown_and_listed(
    topic: ControlTopic, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "acme.json"
    file.write_text('{"models": ["linear"], "lookback_days": 7}')
    assert run(topic, "show", "--tenant", "acme") == 0
    assert "the job's are in force" in capsys.readouterr().out
    assert run(topic, "put", "--tenant", "acme", "--file", str(file), "--dry-run") == 0
    assert read_all(topic) == {}
    assert run(topic, "put", "--tenant", "acme", "--file", str(file)) == 0
    put_models(topic, "acme", lambda known: [*known.models, MODEL])
    file.write_text('{"models": ["linear", "data_driven"]}')
    assert run(topic, "put", "--tenant", "acme", "--file", str(file)) == 0
    assert "version 3 of acme is in force" in capsys.readouterr().out
    record = read_one(topic, "acme")
    assert (record.version, record.document, record.models) == (3, {"models": ["linear", "data_driven"]}, (MODEL,))
    assert run(topic, "show", "--tenant", "acme") == 0
    assert "model m1 for all conversion types" in capsys.readouterr().out
    assert run(topic, "list") == 0
    assert capsys.readouterr().out.split()[:3] == ["acme", "version", "3"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"lookback": 1}', "lookback is 1; allowed: no such key"),
        ('{"models": ["data_driven"]}', "only once a model is published"),
        ("{", "allowed: JSON"),
    ],
)
def test_wrong_settings_are_refused_and_not_put(
    topic: ControlTopic,
    tmp_path: Path,
    text: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "acme.json"
    file.write_text(text)
    assert run(topic, "put", "--tenant", "acme", "--file", str(file)) == 2
    assert said in capsys.readouterr().err
    assert read_all(topic) == {}
    assert run(topic, "show", "--tenant", "a/b") == 2


def test_writers_at_the_same_time_all_get_a_version_of_their_own(
    topic: ControlTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attribution_control, "ATTEMPTS", 50)
    monkeypatch.setattr(attribution_control, "PAUSE_SECONDS", 0.02)
    versions: list[int] = []

    def write(days: int) -> None:
        versions.append(put_settings(topic, "acme", {"lookback_days": days}).version)

    writers = [threading.Thread(target=write, args=(days,)) for days in (1, 2, 3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert len(set(versions)) == 3
    assert read_one(topic, "acme").version == max(versions)


def test_who_loses_the_version_to_another_goes_on_top_of_it(
    topic: ControlTopic, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = record_of("acme", 1, 5, {"lookback_days": 9}, [MODEL])
    put = MemoryTopic.put
    late: list[bytes] = [other]

    def overtaken(self: MemoryTopic, key: str, value: bytes) -> None:
        while late:
            put(self, key, late.pop())
        put(self, key, value)

    monkeypatch.setattr(MemoryTopic, "put", overtaken)
    monkeypatch.setattr(attribution_control, "PAUSE_SECONDS", 0.0)
    record = put_settings(topic, "acme", {"lookback_days": 3})
    # The other's model is kept, the settings are ours.
    assert (record.version, record.document, record.models) == (2, {"lookback_days": 3}, (MODEL,))
    assert read_one(topic, "acme") == record


def test_a_broker_that_is_not_there_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(control_topic, "REQUEST_TIMEOUT_MS", 300)
    nowhere = ControlTopic(KafkaSettings(kafka_bootstrap=f"127.0.0.1:{free_port_base()}"), "measurement-control")
    (tmp_path / "s.json").write_text("{}")
    assert run(nowhere, "put", "--tenant", "acme", "--file", str(tmp_path / "s.json")) == 1
    assert run(nowhere, "list") == 1
    assert capsys.readouterr().err.startswith("error: topic measurement-control cannot be made: ")
