"""Training over stored events: what is read, judged, published, refused, and how drift is measured."""

from __future__ import annotations

import math
import random
import re
import time
from dataclasses import replace

import orjson
import pyarrow as pa
import pytest

from connectors.clickhouse import journey_paths
from connectors.clickhouse.arrow_sink import ArrowSink, times
from connectors.clickhouse.journey_paths import JourneyQuery, read_journeys
from jobs import train_attribution
from jobs.attribution_control import put_settings, read_one
from tests.serving.local_stores import free_port
from tests.unit.jobs.test_control import MemoryTopic
from udfs.attribution.settings import TouchFilter

DAY = 86_400_000
NOW = int(time.time() * 1000)
EFFECTS = {"search": 0.25, "email": 0.1, "display": 0.02}


def event(event_id, tenant, customer, journey, at, event_type, **rest):
    row = {"tenant_id": tenant, "event_id": event_id, "customer_id": customer, "journey_id": journey, "time": at}
    return row | {"event_type": event_type, "channel": "", "kind": "", "value_micros": 0, "payload": "{}"} | rest


def said(consent):
    return {"envelope": {"consent": {"analytics": consent}}}


def touch(event_id, tenant, customer, journey, at, channel, interaction="click", consent=True):
    payload = orjson.dumps(said(consent) | {"touchpoint": {"interaction_type": interaction}}).decode()
    return event(event_id, tenant, customer, journey, at, "touchpoint_interaction", channel=channel, payload=payload)


def sale(event_id, tenant, customer, journey, at, kind="conversion", conversion_type="purchase"):
    payload = orjson.dumps(said(True) | {"conversion": {"conversion_type": conversion_type}}).decode()
    extra = {"kind": kind, "value_micros": 5_000_000, "payload": payload}
    return event(event_id, tenant, customer, journey, at, "conversion_event", **extra)


def store(address, rows):
    columns = {name: [row[name] for row in rows] for name in rows[0] if name != "time"}
    columns["event_time"] = times([row["time"] for row in rows])
    columns["version"] = pa.array([1] * len(rows), pa.uint64())
    ArrowSink(address).write("events", columns)


def world(tenant, customers, seed, effects=EFFECTS):
    """Journeys with known effects, within the last five days."""
    chance = random.Random(seed)
    rows = []
    for number in range(customers):
        at = NOW - 5 * DAY + chance.randrange(2 * DAY)
        path = chance.choices(list(effects), k=chance.randint(1, 5))
        name = f"{tenant}-{seed}-{number}"
        for step, channel in enumerate(path):
            rows.append(touch(f"t{step}-{name}", tenant, f"c{number}", name, at + step * 60_000, channel))
        if chance.random() > 0.97 * math.prod(1 - effects[channel] for channel in path):
            rows.append(sale(f"s-{name}", tenant, f"c{number}", name, at + 3_600_000))
    return rows


@pytest.fixture
def topic(monkeypatch):
    monkeypatch.setattr(MemoryTopic, "records", {})
    monkeypatch.setattr(train_attribution, "ControlTopic", MemoryTopic)
    return MemoryTopic("nowhere:1", "measurement-control")


def run(address, tenant, *words):
    url = f"http://{address.host}:{address.port}"
    words = ["--tenant", tenant, "--clickhouse-url", url, "--clickhouse-database", address.database, *words]
    return train_attribution.main(words)


def test_journeys_are_read_as_the_rules_say(history_address, monkeypatch):
    monkeypatch.setattr(journey_paths, "SLICE_EVENTS", 5)
    address = history_address
    begin = NOW - 10 * DAY
    store(
        address,
        [
            touch("1", "reading", "ann", "j1", begin + 2, "email"),
            touch("2", "reading", "ann", "j1", begin + 1, "search"),
            sale("3", "reading", "ann", "j1", begin + 2),  # the touch at its very time counts
            touch("4", "reading", "ann", "j1", begin + 3, "late"),
            sale("5", "reading", "ann", "j1", begin + 4),  # only the first conversion ends a journey
            touch("6", "reading", "bob", "j1", begin, "too old"),
            touch("7", "reading", "bob", "j1", begin + 2 * DAY, "email", "impression"),
            sale("8", "reading", "bob", "j1", begin + 9, kind="refund"),
            touch("9", "reading", "cid", "j2", begin, "direct"),
            sale("10", "reading", "cid", "j2", begin + 1, conversion_type="signup"),
            sale("11", "reading", "dan", "j3", begin),
            touch("12", "reading", "eve", "", begin, "email"),
            touch("13", "another", "ann", "j1", begin, "email"),
        ],
    )
    query = JourneyQuery("reading", begin - 1, NOW, DAY, TouchFilter(), held_out=0.3)

    def found(**changes):
        changed = JourneyQuery(**{name: getattr(query, name) for name in query.__slots__} | changes)
        seen = []
        paths = list(read_journeys(ArrowSink(address), changed, lambda *counts: seen.append(counts)))
        assert seen[-1][1] == 11
        return sorted((one.path.channels, one.path.conversions, one.path.value) for one in paths)

    ann, bob, cid = (("search", "email"), 1.0, 5e6), (("email",), 0.0, 0.0), (("direct",), 1.0, 5e6)
    assert found() == sorted([ann, bob, cid])
    assert found(conversion_type="signup") == sorted([(("search", "email", "late"), 0.0, 0.0), bob, cid])
    assert found(touch_filter=TouchFilter(exclude_channels=("direct",))) == sorted([ann, bob])
    no_impressions = found(touch_filter=TouchFilter(interaction_types=("click",)))
    assert no_impressions == sorted([ann, (("too old",), 0.0, 0.0), cid])


def test_what_was_refused_trains_nothing(history_address):
    begin = NOW - 10 * DAY
    no = {"payload": orjson.dumps(said(False)).decode()}
    store(
        history_address,
        [
            touch("1", "refusing", "ann", "j1", begin, "email", consent=False),
            sale("2", "refusing", "ann", "j1", begin + 1),
            touch("3", "refusing", "bob", "j1", begin, "email"),
            event("4", "refusing", "bob", "", begin + 1, "journey_start", **no),
            touch("5", "refusing", "bob", "j1", begin + 2, "search"),
            sale("6", "refusing", "bob", "j1", begin + 3),
            touch("7", "refusing", "cid", "j1", begin + 1, "social", consent=False),
        ],
    )

    def found(consent):
        query = JourneyQuery("refusing", begin - 1, NOW, DAY, TouchFilter(), consent=consent)
        paths = read_journeys(ArrowSink(history_address), query, lambda *_: None)
        return sorted((one.path.channels, one.path.conversions) for one in paths)

    assert found("required") == [(("search",), 1.0)]
    # Ann and cid had never consented before they refused, bob had.
    assert found("assumed") == [(("email",), 1.0), (("search",), 1.0), (("social",), 0.0)]


def test_a_model_is_trained_published_refused_when_worse_and_watched_for_drift(
    history_address, topic, capsys, tmp_path
):
    address = history_address
    store(address, world("training", 6_000, 1))
    assert run(address, "training", "--kind", "hazard", "--dry-run") == 0
    assert topic.records == {}
    assert run(address, "training", "--kind", "markov", "--order", "2") == 0
    assert run(address, "training", "--kind", "hazard", "--in-force-from", str(NOW)) == 0
    out = capsys.readouterr().out
    assert "published: the first model" in out
    assert "published: not worse" in out
    assert "target 0.85: not reached" in out
    record = read_one(topic, "training")
    assert (record.version, len(record.models)) == (2, 2)
    hazard = next(model for model in record.models if model.version.startswith("hazard-"))
    assert hazard.effects["search"] > hazard.effects["email"] > hazard.effects["display"]
    put_settings(topic, "training", {"models": ["linear", "data_driven"]})

    rows = ArrowSink(address).rows(
        "SELECT kind, published, auc <= attainable_auc + auc_error, journeys + held_out_journeys, length(reliability) "
        "FROM attribution_models FINAL WHERE tenant_id = 'training' ORDER BY trained_at",
        {},
        "models",
    )
    assert [tuple(row) for row in rows] == [
        ("hazard", 0, 1, 6_000, 10),
        ("markov", 1, 1, 6_000, 10),
        ("hazard", 1, 1, 6_000, 10),
    ]
    file = tmp_path / "drift.prom"
    assert run(address, "training", "--drift", "--metrics-file", str(file)) == 0
    near = [float(number) for number in re.findall(r"attribution_drift_psi{.*} (\S+)", file.read_text())]
    assert len(near) == 2
    assert max(near) < 0.01
    store(address, world("training", 6_000, 2, {"podcast": 0.1, "email": 0.1}))
    assert run(address, "training", "--drift", "--metrics-file", str(file)) == 0
    far = float(re.findall(r'over="channel".*} (\S+)', file.read_text())[0])
    assert far > 0.25
    assert len(ArrowSink(address).rows("SELECT channel_psi FROM attribution_drift FINAL", {}, "drift")) == 2


def test_a_worse_model_is_refused_unless_forced(history_address, topic, monkeypatch, capsys):
    address = history_address
    store(address, world("gate", 6_000, 3))
    assert run(address, "gate", "--kind", "hazard") == 0
    true_train = train_attribution.train

    def turned(kind, order, training, held_out):
        """A candidate whose effects are upside down."""
        good = true_train(kind, order, training, held_out)
        effects = {channel: 1.0 - effect for channel, effect in good.effects.effects.items()}
        verdict = train_attribution.validate_effects(effects, training, held_out)
        return replace(good, effects=replace(good.effects, effects=effects), validation=verdict)

    monkeypatch.setattr(train_attribution, "train", turned)
    assert run(address, "gate", "--kind", "hazard") == 3
    assert "refused: worse, AUC" in capsys.readouterr().out
    assert read_one(topic, "gate").version == 1
    assert run(address, "gate", "--kind", "hazard", "--force") == 0
    assert read_one(topic, "gate").version == 2


def test_too_little_to_train_on_and_wrong_calls_are_said(history_address, topic, capsys):
    address = history_address
    assert run(address, "nobody") == 2
    assert "0 conversions to train on" in capsys.readouterr().err
    assert run(address, "nobody", "--drift") == 2
    assert run(address, "no/body") == 2
    with pytest.raises(SystemExit):
        run(address, "nobody", "--held-out", "0.9")
    assert "0.9 is not allowed; allowed: 0.05 to 0.5" in capsys.readouterr().err


def test_a_store_that_is_down_is_said(topic, capsys, monkeypatch):
    words = ["--tenant", "acme", "--clickhouse-url", f"http://127.0.0.1:{free_port()}"]
    monkeypatch.setattr(journey_paths, "with_retries", lambda action, what, seconds: action())
    monkeypatch.setattr("connectors.clickhouse.arrow_sink.with_retries", lambda action, what: action())
    assert train_attribution.main(words) == 1
    assert capsys.readouterr().err.startswith("error: ")
