"""Tokens come back as they were given, for the same request only; anything else is refused and nothing else happens."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tributary.v1 import campaign_metrics_pb2 as pb

from serving.errors import ServingError
from serving.handlers.tokens import make_token, read_token

PAGING = ("page_token", "page_size")
KINDS = (int, str)


def request(tenant="t", size=0):
    return pb.GetCampaignMetricsRequest(tenant_id=tenant, page_size=size)


@given(st.integers(-(2**53), 2**53), st.text(max_size=50))
def test_a_token_comes_back(number, text):
    token = make_token(request(size=1), PAGING, [number, text])
    assert read_token(token, "page_token", request(size=9), PAGING, KINDS) == [number, text]


@given(st.text(max_size=100) | st.binary(max_size=60).map(lambda b: base64.urlsafe_b64encode(b).decode()))
def test_anything_else_is_refused(token):
    with pytest.raises(ServingError) as refused:
        read_token(token, "page_token", request(), PAGING, KINDS)
    assert refused.value.reason == "INVALID_PAGE_TOKEN"


@given(st.data())
def test_one_changed_character_is_noticed(data):
    token = make_token(request(), PAGING, [5, "campaign"])
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from("ABCabc012-_").filter(lambda c: c != token[place]))
    changed = token[:place] + letter + token[place + 1 :]
    try:
        assert read_token(changed, "page_token", request(), PAGING, KINDS) == [5, "campaign"]
        # Only the bits after the last byte may differ unnoticed: they mean nothing.
        assert place == len(token) - 1
    except ServingError:
        pass


def test_of_another_request_or_method():
    token = make_token(request(), PAGING, [5, "x"])
    for other in (request("another"), pb.ListTimeSeriesRequest(tenant_id="t")):
        with pytest.raises(ServingError):
            read_token(token, "page_token", other, PAGING, KINDS)
    with pytest.raises(ServingError):
        read_token(make_token(request(), PAGING, ["x", 5]), "page_token", request(), PAGING, KINDS)
    with pytest.raises(ServingError):
        read_token(make_token(request(), PAGING, [True, "x"]), "page_token", request(), PAGING, KINDS)
