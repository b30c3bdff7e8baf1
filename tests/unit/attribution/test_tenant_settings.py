"""A tenant's settings: what a record says, what it leaves to the job, and how a wrong one is refused."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from udfs.attribution.heuristics import DAY_MS, half_life_of
from udfs.attribution.published_model import PublishedModel
from udfs.attribution.settings import AttributionSettings, CreditRules, SettingsError, TouchFilter
from udfs.attribution.tenant_settings import LARGEST_VERSION, job_settings, read_settings, record_of, settings_of

JOB = AttributionSettings(lookback_ms=20 * DAY_MS)
OLD = PublishedModel("m1", "", 1_000, {"email": 1.0})
NEW = PublishedModel("m2", "", 2_000, {"email": 2.0})
SIGNUPS = PublishedModel("s1", "signup", 5_000, {"email": 3.0})


def test_what_a_record_leaves_out_is_as_in_the_job() -> None:
    settings = settings_of({"models": ["linear"], "conversion_types": {"signup": {"lookback_days": 7}}}, JOB, 3, [])
    assert settings.rules == CreditRules(models=("linear",), lookback_ms=20 * DAY_MS)
    assert settings.rules_of("signup") == CreditRules(models=("linear",), lookback_ms=7 * DAY_MS)
    assert settings.rules_of("anything else") is settings.rules
    assert settings.longest_lookback_ms == 20 * DAY_MS
    assert settings.revision_base == 3 << 32
    assert job_settings(JOB).revision_base == 0


def test_every_key_is_read() -> None:
    document = {
        "models": ["time_decay", "custom_weights"],
        "lookback_days": 0.5,
        "transforms": ["exposure", "trim(20)"],
        "touch_filter": {"exclude_channels": ["direct"], "exclude_campaigns": ["k1"], "interaction_types": ["click"]},
        "decay_per_day": 0.5,
        "position_weights": [1, 0, 1],
        "channel_weights": {"email": 2},
    }
    assert settings_of(document, JOB, 1, []).rules == CreditRules(
        models=("time_decay", "custom_weights"),
        lookback_ms=DAY_MS // 2,
        transforms=("exposure", "trim(20)"),
        touch_filter=TouchFilter(exclude_channels=("direct",), exclude_campaigns=("k1",), interaction_types=("click",)),
        half_life_ms=half_life_of(0.5),
        position_weights=(1, 0, 1),
        channel_weights=(("email", 2),),
    )


def test_a_record_is_read_as_it_was_written() -> None:
    document = {"models": ["linear", "data_driven"]}
    tenant_id, settings = read_settings(record_of("acme", 7, 1, document, [NEW, SIGNUPS, OLD]), JOB)
    assert (tenant_id, settings.version) == ("acme", 7)
    assert settings == settings_of(document, JOB, 7, [OLD, NEW, SIGNUPS])


@pytest.mark.parametrize(
    ("conversion_type", "time", "version"),
    [
        ("order", 0, "m1"),
        ("order", 1_999, "m1"),
        ("order", 2_000, "m2"),
        ("order", 9_000, "m2"),
        ("signup", 0, "s1"),
        ("signup", 9_000, "s1"),
    ],
)
def test_the_model_in_force_at_the_time_of_a_conversion_credits_it(
    conversion_type: str, time: int, version: str
) -> None:
    model = settings_of({}, JOB, 1, [NEW, SIGNUPS, OLD]).model_of(conversion_type, time)
    assert model is not None
    assert model.version == version


def test_without_a_published_model_there_is_none() -> None:
    assert job_settings(JOB).model_of("order", 1) is None
    assert settings_of({}, JOB, 1, [SIGNUPS]).model_of("order", 1) is None


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"lookback": 3}, "lookback is 3; allowed: no such key; models, "),
        ({"lookback_days": "3"}, "lookback_days is '3'; allowed: a finite number"),
        ({"lookback_days": True}, "lookback_days is True; allowed: a finite number"),
        ({"lookback_days": 0}, "lookback_days is 0; allowed: one hour to 365 days"),
        ({"half_life_days": 0}, "half_life_days is 0; allowed: one minute to ten years"),
        ({"half_life_days": 7, "decay_per_day": 1}, "decay_per_day is 1; allowed: this or half_life_days, not both"),
        ({"decay_per_day": 0}, "decay_per_day is 0; allowed: 0.0002 to 998 per day"),
        ({"models": ["guess"]}, "models is ['guess']; allowed: one or more of first_touch, "),
        ({"models": "linear"}, "models is 'linear'; allowed: a list of texts"),
        ({"models": ["data_driven"]}, "models is ['data_driven']; allowed: data_driven only once a model is published"),
        ({"transforms": ["trim(0)"]}, "transforms is ['trim(0)']; allowed: identity, exposure, "),
        ({"transforms": ["frequency", "exposure"]}, "transforms is ['frequency', 'exposure']; allowed: identity, "),
        ({"position_weights": [1, 2]}, "position_weights is [1, 2]; allowed: three finite numbers"),
        ({"position_weights": 1}, "position_weights is 1; allowed: a list of three numbers"),
        ({"channel_weights": {"email": -1}}, "channel_weights is {'email': -1}; allowed: (channel, weight) pairs"),
        ({"channel_weights": {"email": "x"}}, "channel_weights.email is 'x'; allowed: a finite number"),
        ({"touch_filter": {"only": []}}, "touch_filter.only is []; allowed: no such key; exclude_channels, "),
        ({"touch_filter": {"interaction_types": ["look"]}}, "touch_filter.interaction_types is ('look',); allowed: "),
        ({"conversion_types": []}, "conversion_types is []; allowed: an object of at most 200 conversion types"),
        ({"conversion_types": {"s": 1}}, "conversion_types.s is 1; allowed: an object"),
        ({"conversion_types": {"s": {"models": []}}}, "conversion_types.s.models is []; allowed: one or more of "),
        ({"conversion_types": {"s": {"lookback_days": 0}}}, "conversion_types.s.lookback_days is 0; allowed: one hour"),
        (
            {"conversion_types": {"s.t": {"decay_per_day": 0}}},
            "conversion_types.s.t.decay_per_day is 0; allowed: 0.0002",
        ),
        (
            {"conversion_types": {"s": {"models": ["data_driven"]}}},
            "conversion_types.s.models is ['data_driven']; allowed: data_driven only once",
        ),
        ({"consent": "none"}, "consent is 'none'; allowed: one of required, assumed"),
        ({"conversion_types": {"s": {"consent": []}}}, "conversion_types.s.consent is []; allowed: one of required"),
        ([], "settings is []; allowed: an object"),
    ],
)
def test_a_wrong_value_is_refused_with_key_value_and_what_is_allowed(document: Any, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings_of(document, JOB, 1, [])
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (b"{", "record is '1 bytes'; allowed: a JSON object"),
        (b"[]", "kind is []; allowed: 'attribution_settings'"),
        (b"{}", "kind is None; allowed: 'attribution_settings'"),
        ({"tenant_id": ""}, "tenant_id is ''; allowed: "),
        ({"version": 0}, f"version is 0; allowed: 1 to {LARGEST_VERSION}"),
        ({"version": True}, "version is True; allowed: "),
        ({"models": {}}, "models is {}; allowed: a list"),
        ({"models": [1]}, "models is 1; allowed: objects with version, in_force_from and effects"),
        ({"models": [{"version": "m"}]}, "models.in_force_from is None; allowed: a value of type int"),
        ({"models": [{"version": "", "in_force_from": 1, "effects": {"a": 1}}]}, "models.version is ''; allowed: 1 to"),
        ({"models": [{"version": "m", "in_force_from": -1, "effects": {"a": 1}}]}, "models.in_force_from is -1; "),
        ({"models": [{"version": "m", "in_force_from": 1, "effects": {}}]}, "models.effects is {}; allowed: 1 to 1000"),
        ({"models": [{"version": "m", "in_force_from": 1, "effects": {"a": "1"}}]}, "models.effects is {'a': '1'}; "),
    ],
)
def test_a_wrong_record_is_refused(record: Any, said: str) -> None:
    if isinstance(record, dict):
        record = orjson.dumps({"kind": "attribution_settings", "tenant_id": "acme", "version": 1} | record)
    with pytest.raises(SettingsError) as caught:
        read_settings(record, JOB)
    assert str(caught.value).startswith(said)


def test_a_record_too_large_for_the_topic_is_refused() -> None:
    models = [
        PublishedModel(f"m{number}", "", number, {f"{number}-{channel:080d}": 0.1 for channel in range(1_000)})
        for number in range(12)
    ]
    with pytest.raises(SettingsError, match="allowed: 1000000 bytes; retire old models"):
        record_of("acme", 1, 1, {}, models)
