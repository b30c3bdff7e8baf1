"""A wrong option is refused by name, with its value and what is allowed."""

from __future__ import annotations

from dataclasses import fields

import pytest

from jobs.options import Options, Stage, parse

GOOD = ["--kafka-bootstrap", "h:9092", "--clickhouse-url", "http://h:8123", "--redis-url", "redis://h:6379/0"]


def test_defaults() -> None:
    options = parse(GOOD)
    assert options.stage_set == frozenset(Stage) - {Stage.IDENTITY}
    assert options.watermark_delay_ms == 1000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--kafka-bootstrap", "h"], ["--kafka-bootstrap", "'h'", "host:port"]),
        (["--clickhouse-url", "h:8123"], ["--clickhouse-url", "'h:8123'", "http"]),
        (["--redis-url", "http://h"], ["--redis-url", "redis"]),
        (["--clickhouse-database", "a-b"], ["--clickhouse-database", "'a-b'", "letters"]),
        (["--topic-prefix", "a b"], ["--topic-prefix", "'a b'"]),
        (["--stages", "events,nope"], ["--stages", "'nope'", "campaign_metrics"]),
        (["--stages", "events,alerts"], ["--stages", "campaign_metrics"]),
        (["--start", "now"], ["--start", "'now'", "earliest"]),
        (["--watermark-delay-ms", "-1"], ["--watermark-delay-ms", "-1", "0 to 60000"]),
        (["--dedup-hours", "3000"], ["--dedup-hours", "3000", "2160"]),
        (["--lookback-days", "x"], ["--lookback-days", "'x'"]),
        (["--lookback-days", "200"], ["--journey-retention-days", "--lookback-days"]),
        (["--wachstum", "1"], ["--wachstum"]),
    ],
)
def test_a_wrong_option_is_named(arguments: list[str], said: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse([*GOOD, *arguments])
    assert stopped.value.code == 2
    message = capsys.readouterr().err
    assert all(word in message for word in said), message


def test_a_password_in_a_url_is_refused_and_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse([*GOOD, "--clickhouse-url", "http://user:hunter2@h:8123"])
    message = capsys.readouterr().err
    assert "--clickhouse-url" in message
    assert "hunter2" not in message


def test_every_option_has_help() -> None:
    assert all(field.metadata["help"] for field in fields(Options))
