"""Filters as text: what they mean, what is refused, and that no text becomes part of a statement."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.errors import ServingError
from serving.queries.filters import DEEPEST, MOST_COMPARISONS, Joined, Kind, Name, read_filter

NAMES = {
    "campaign": Name("campaign_id"),
    "channel": Name("channel", words=("email", "search")),
    "value": Name("v", Kind.WHOLE),
    "share": Name("s", Kind.DECIMAL),
}
ROW = {"campaign": "c1", "channel": "email", "value": 5, "share": 0.5}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("", None),
        ("  ", None),
        ('campaign = "c1"', True),
        ("campaign=c1", True),
        ("campaign != 'c1'", False),
        ('campaign = "c1" AND channel != "email"', False),
        ("value > 4 AND value <= 5 AND value >= 5 AND value < 6", True),
        ("value = -5", False),
        ("share > 0.25", True),
        # OR binds closer than AND.
        ("campaign = c2 AND campaign = c1 OR channel = email", False),
        ("(campaign = c2 AND campaign = c1) OR channel = email", True),
        ("NOT campaign = c2", True),
        ("-campaign = c1", False),
        ("NOT (campaign = c2 OR value = 5)", False),
        ("- (campaign = c2)", True),
        ('campaign = "NOT"', False),
        (r'campaign = "a\"b\\"', False),
        ("campaign = 7", False),
    ],
)
def test_meaning(text, holds):
    condition = read_filter(text, NAMES)
    assert (condition is None) == (holds is None)
    assert condition is None or condition.matches(ROW) == holds


@pytest.mark.parametrize(
    "text",
    [
        "campaign",
        "campaign =",
        "= c1",
        "tenant_id = other",
        "campaign_id = c1",
        'campaign > "a"',
        "channel = fax",
        "value = many",
        "value = 1.5",
        "value = 9223372036854775808",
        "value = 1e3",
        "share = nan",
        "share = " + "9" * 400,
        "campaign = c1 campaign = c2",
        "campaign = c1 AND",
        "AND campaign = c1",
        "(campaign = c1",
        "campaign = c1)",
        'campaign = "c1',
        'campaign = "a\x00"',
        "campaign = c1; DROP TABLE events",
        "campaign = c1 -- x",
        "campaign IN (c1)",
        "campaign == c1",
        "campaign = é",
        "and",
        "(" * 500 + "campaign = c1" + ")" * 500,
        "NOT " * (DEEPEST + 2) + "campaign = c1",
        " AND ".join(["campaign = c1"] * (MOST_COMPARISONS + 1)),
        "campaign = " + "x" * 2_000,
    ],
)
def test_refusals_name_the_field(text):
    with pytest.raises(ServingError) as caught:
        read_filter(text, NAMES)
    assert [field for field, _ in caught.value.violations] == ["filter"]


VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


@given(VALUES)
def test_any_text_can_be_a_value_and_stays_out_of_the_statement(value):
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    parameters = {}
    condition = read_filter(f'campaign = "{quoted}"', NAMES)
    assert condition.sql(parameters) == "campaign_id = {filter0:String}"
    assert parameters == {"filter0": value}


@given(st.text(alphabet=string.printable, max_size=60) | st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    parameters = {}
    try:
        condition = read_filter(text, NAMES)
    except ServingError:
        return
    if condition is not None:
        sql = condition.sql(parameters)
        assert set(sql) <= set("campaign_idelvs {}0123456789:StringIntFloat<>=!()ANDORNOT h") or "channel" in sql


CONDITIONS = st.recursive(
    st.sampled_from([("campaign", "=", "c1"), ("campaign", "!=", "c1"), ("value", ">", "4"), ("value", "<", "4")]),
    lambda inner: (
        st.tuples(st.sampled_from(["AND", "OR"]), st.lists(inner, min_size=2, max_size=3))
        | st.tuples(st.just("NOT"), st.tuples(inner))
    ),
    max_leaves=8,
)


def written(condition):
    """A condition as text, every join in parentheses."""
    if isinstance(condition[1], str):
        return " ".join(condition)
    join, parts = condition
    texts = [written(part) for part in parts]
    return f"NOT ({texts[0]})" if join == "NOT" else f"({f' {join} '.join(texts)})"


def holds(condition, row):
    if isinstance(condition[1], str):
        name, operator, value = condition
        left, right = (row[name], int(value)) if name == "value" else (row[name], value)
        return (
            {"=": left == right, "!=": left != right}[operator]
            if operator in ("=", "!=")
            else (left > right if operator == ">" else left < right)
        )
    join, parts = condition
    found = [holds(part, row) for part in parts]
    return not found[0] if join == "NOT" else all(found) if join == "AND" else any(found)


@given(CONDITIONS, st.sampled_from(["c1", "c2"]), st.integers(3, 5))
def test_joins_mean_what_they_say(condition, campaign, value):
    row = {"campaign": campaign, "value": value}
    assert read_filter(written(condition), NAMES).matches(row) == holds(condition, row)


def test_predicate_has_every_join_in_parentheses():
    parameters = {"tenant": "t"}
    condition = read_filter("campaign = a AND (campaign = b OR NOT value > 3)", NAMES)
    assert isinstance(condition, Joined)
    assert condition.sql(parameters) == (
        "(campaign_id = {filter1:String} AND (campaign_id = {filter2:String} OR (NOT v > {filter3:Int64})))"
    )
    assert parameters == {"tenant": "t", "filter1": "a", "filter2": "b", "filter3": 3}
