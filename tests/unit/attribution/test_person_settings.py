"""Attribution of one person under a tenant's own settings, and what a change of them re-attributes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from udfs.attribution.person import apply_facts, reattribute
from udfs.attribution.published_model import PublishedModel
from udfs.attribution.settings import AttributionSettings
from udfs.attribution.tenant_settings import TenantSettings, settings_of

DAY = 86_400_000
START = 1_700_000_000_000
JOB = AttributionSettings(models=("linear",))
Fact = list[Any]


def touch(event_id: str, day: float, channel: str = "email", kind: str = "click", campaign: str | None = None) -> Fact:
    time = START + round(day * DAY)
    return ["t", "acme", "ann", "j1", "intent", event_id, time, time, 7, channel, campaign, None, "google", kind]


def conversion(event_id: str, day: float, kind: str = "order", micros: int = 1_000_000) -> Fact:
    time = START + round(day * DAY)
    return ["c", "acme", "ann", "j1", "purchase", event_id, time, time, 7, kind, micros, "EUR", None]


def tenant(document: dict[str, Any], version: int = 1, *models: PublishedModel) -> TenantSettings:
    return settings_of(document, JOB, version, models)


def credited(facts: list[Fact], chosen: TenantSettings) -> dict[str, dict[str, Any]]:
    return {row["conversion_id"]: row for row in apply_facts(None, facts, JOB, chosen).attributions}


def test_look_back_and_models_are_those_of_the_conversion_type() -> None:
    chosen = tenant({"conversion_types": {"signup": {"lookback_days": 1, "models": ["last_touch", "first_touch"]}}})
    facts = [touch("t1", 0), touch("t2", 1.5), conversion("c1", 2), conversion("s1", 2, "signup")]
    rows = credited(facts, chosen)
    assert [one[0] for one in rows["c1"]["touches"]] == ["t1", "t2"]
    assert [one[0] for one in rows["s1"]["touches"]] == ["t2"]
    assert list(rows["c1"]["models"]) == ["linear"]
    assert list(rows["s1"]["models"]) == ["last_touch", "first_touch"]
    assert (rows["c1"]["revision"], rows["s1"]["revision"]) == ((1 << 32) + 3, (1 << 32) + 2)
    assert {row["settings_version"] for row in rows.values()} == {1}


def test_a_late_touch_reaches_only_the_types_that_look_back_so_far() -> None:
    chosen = tenant({"conversion_types": {"signup": {"lookback_days": 1}, "lease": {"lookback_days": 60}}})
    state = apply_facts(
        None, [conversion("c1", 40), conversion("s1", 40, "signup"), conversion("l1", 40, "lease")], JOB, chosen
    ).state
    update = apply_facts(state, [touch("t1", 0)], JOB, chosen)
    assert [row["conversion_id"] for row in update.attributions] == ["l1"]


def test_the_filter_leaves_touches_out_of_the_path() -> None:
    facts = [
        touch("t1", 0, "direct"),
        touch("t2", 1, "display", "impression"),
        touch("t3", 2, "display", "click", "k1"),
        touch("t4", 3, "email", "click"),
        conversion("c1", 4),
    ]
    chosen = tenant({"touch_filter": {"exclude_channels": ["direct"], "interaction_types": ["click"]}})
    assert [one[0] for one in credited(facts, chosen)["c1"]["touches"]] == ["t3", "t4"]
    chosen = tenant({"touch_filter": {"exclude_campaigns": ["k1"], "exclude_channels": ["direct", "email"]}})
    assert [one[0] for one in credited(facts, chosen)["c1"]["touches"]] == ["t2"]
    chosen = tenant({"touch_filter": {"exclude_channels": ["direct", "email", "display"]}})
    row = credited(facts, chosen)["c1"]
    assert row["touches"] == [["", "unattributed", "", START + 4 * DAY]]
    assert row["models"]["linear"] == {"weights": [1.0], "credited_micros": [1_000_000]}


def test_what_a_transform_removes_is_listed_with_weight_0() -> None:
    facts = [touch(f"t{day}", day, channel) for day, channel in enumerate(["email", "email", "direct"])]
    chosen = tenant({"transforms": ["remove_direct_if_not_all", "exposure"], "models": ["linear", "last_touch"]})
    models = credited([*facts, conversion("c1", 4)], chosen)["c1"]["models"]
    assert models["linear"] == {"weights": [1.0, 0.0, 0.0], "credited_micros": [1_000_000, 0, 0]}
    assert models["last_touch"]["weights"] == [1.0, 0.0, 0.0]


def test_a_trained_model_credits_by_the_effects_of_its_channels() -> None:
    model = PublishedModel("m1", "", START, {"email": 0.3, "search": 0.1, "social": 0.0, "display": -0.2})
    chosen = tenant({"models": ["linear", "data_driven"]}, 1, model)
    facts = [touch("t1", 0), touch("t2", 1, "search"), touch("t3", 2), touch("t4", 3, "social")]
    credit = credited([*facts, conversion("c1", 4)], chosen)["c1"]["models"]["data_driven"]
    assert credit["model_version"] == "m1"
    # A repeated channel weighs each time; a channel without effect weighs 0.
    assert credit["weights"] == pytest.approx([3 / 7, 1 / 7, 3 / 7, 0])
    assert sum(credit["credited_micros"]) == 1_000_000
    # An unknown channel weighs as the average one (0.1); where no touch has an effect all weigh the same.
    credit = credited([touch("t1", 0), touch("t2", 1, "podcast"), conversion("c1", 4)], chosen)["c1"]["models"]
    assert credit["data_driven"]["weights"] == pytest.approx([0.75, 0.25])
    credit = credited([touch("t1", 0, "social"), touch("t2", 1, "display"), conversion("c1", 4)], chosen)["c1"][
        "models"
    ]
    assert credit["data_driven"]["weights"] == [0.5, 0.5]
    credit = credited([conversion("c1", 4)], chosen)["c1"]["models"]
    assert credit["data_driven"] == {"weights": [1.0], "credited_micros": [1_000_000], "model_version": "m1"}


def test_a_trained_model_brings_its_own_transforms() -> None:
    model = PublishedModel("m1", "", START, {"email(2)": 3.0, "search(1)": 1.0}, ("frequency",))
    chosen = tenant({"models": ["linear", "data_driven"]}, 1, model)
    models = credited([touch("t1", 0), touch("t2", 1, "search"), touch("t3", 2), conversion("c1", 4)], chosen)["c1"][
        "models"
    ]
    assert models["data_driven"]["weights"] == pytest.approx([0.75, 0.25, 0.0])
    assert models["linear"]["weights"] == pytest.approx([1 / 3] * 3)


def test_without_a_model_there_is_no_credit_by_it() -> None:
    job = AttributionSettings(models=("linear", "data_driven"))
    for facts in ([touch("t1", 0), conversion("c1", 4)], [conversion("c1", 4)]):
        (row,) = apply_facts(None, facts, job).attributions
        assert list(row["models"]) == ["linear"]


def test_a_new_model_leaves_older_credits_and_their_version_as_they_are() -> None:
    old = PublishedModel("m1", "", START, {"email": 1.0})
    new = PublishedModel("m2", "", START + 10 * DAY, {"email": 2.0, "search": 1.0})
    document = {"models": ["data_driven"]}
    before, after = tenant(document, 1, old), tenant(document, 2, old, new)
    facts = [touch("t1", 0), touch("t2", 1, "search"), conversion("c1", 4), conversion("c2", 11)]
    state = apply_facts(None, facts, JOB, before).state
    (row,) = reattribute(state, "acme", "ann", JOB, after, before)
    assert (row["conversion_id"], row["models"]["data_driven"]["model_version"]) == ("c2", "m2")
    # A late touch changes the old conversion's credits, not its model.
    (first, second) = apply_facts(state, [touch("t3", 2)], JOB, after).attributions
    assert first["models"]["data_driven"]["model_version"] == "m1"
    assert second["models"]["data_driven"]["model_version"] == "m2"


def test_a_change_re_attributes_exactly_the_conversions_whose_credits_change() -> None:
    before = tenant({"conversion_types": {"signup": {}}})
    after = tenant({"lookback_days": 7, "conversion_types": {"signup": {"lookback_days": 30}}}, 2)
    facts = [
        touch("t1", 0),
        touch("t2", 9),
        conversion("c1", 5),  # its touch lies within a week: the same credits
        conversion("c2", 10),  # loses t1
        conversion("s1", 10, "signup"),  # another type: the same rules
    ]
    state = apply_facts(None, facts, JOB, before).state
    (row,) = reattribute(state, "acme", "ann", JOB, after, before)
    assert (row["conversion_id"], [one[0] for one in row["touches"]]) == ("c2", ["t2"])
    assert (row["settings_version"], row["revision"]) == (2, (2 << 32) + 2)
    # What is not known cannot be compared.
    assert len(reattribute(state, "acme", "ann", JOB, after, None)) == 3
    assert reattribute(state, "acme", "ann", JOB, after, after) == []


DOCUMENTS: list[dict[str, Any]] = [
    {},
    {"models": ["linear", "first_touch", "data_driven"]},
    {"lookback_days": 3},
    {"lookback_days": 60, "transforms": ["first"]},
    {"touch_filter": {"exclude_channels": ["direct"]}, "conversion_types": {"signup": {"lookback_days": 2}}},
    {"models": ["time_decay", "custom_weights"], "decay_per_day": 0.5, "channel_weights": {"email": 2, "search": 0}},
]
MODEL = PublishedModel("m1", "", START + 20 * DAY, {"email": 0.5, "search": 0.0})
days = st.integers(0, 60)
facts_of_ann = st.lists(
    st.one_of(
        st.builds(
            lambda n, day, channel: touch(f"t{n}", day, channel),
            st.integers(0, 99),
            days,
            st.sampled_from(["email", "search", "direct"]),
        ),
        st.builds(
            lambda n, day, kind: conversion(f"c{n}", day, kind),
            st.integers(0, 99),
            days,
            st.sampled_from(["order", "signup"]),
        ),
    ),
    max_size=15,
    unique_by=lambda fact: fact[5],
)


@settings(max_examples=100, deadline=None)
@given(facts_of_ann, st.lists(st.sampled_from(DOCUMENTS), min_size=1, max_size=4), st.integers(0, 15))
def test_changing_settings_on_the_way_ends_where_the_last_ones_alone_would(
    facts: list[Fact], documents: list[dict[str, Any]], cut: int
) -> None:
    """A reader sees, for each conversion, the credits that the last settings give, whatever was in force before."""
    stored: dict[str, dict[str, Any]] = {}

    def store(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            known = stored.get(row["conversion_id"])
            assert known is None or row["revision"] > known["revision"]
            assert all(sum(one["credited_micros"]) == row["value_micros"] for one in row["models"].values())
            stored[row["conversion_id"]] = row

    state: bytes | None = None
    before: TenantSettings | None = None
    for version, document in enumerate(documents, start=1):
        now = settings_of(document, JOB, version, [MODEL])
        if state is not None:
            store(reattribute(state, "acme", "ann", JOB, now, before))
        part = facts[:cut] if version < len(documents) else facts
        update = apply_facts(state, part, JOB, now)
        store(update.attributions)
        state, before = update.state, now
    expected = credited(facts, settings_of(documents[-1], JOB, len(documents), [MODEL]))
    for row in (*stored.values(), *expected.values()):
        del row["revision"], row["settings_version"]
        row.pop("replaces", None)
    assert stored == expected
