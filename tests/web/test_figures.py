"""Figures on the page equal the plain sums of what is stored."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from tests.web.marketing_world import CAMPAIGNS, MICROS

IMPRESSIONS, CLICKS, CONVERSIONS, COST, REVENUE = range(5)


@pytest.fixture
def days(world):
    """Ten whole days that lie in the past: as the address says them, and as [start, end) in ms."""
    last = datetime.fromtimestamp(world.now / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first = last - timedelta(days=12)
    end = last - timedelta(days=2)
    text = f"{first:%Y-%m-%d}_{end - timedelta(days=1):%Y-%m-%d}"
    return text, int(first.timestamp() * 1000), int(end.timestamp() * 1000)


def test_cards_show_the_stored_sums_of_the_main_currency(dashboard, world, days):
    text, start, end = days
    sums = world.sums(start, end)["EUR"]
    dashboard.open("executive", range=text, tz="UTC")
    assert dashboard.raw("kpi-revenue") == sums[REVENUE]
    assert dashboard.raw("kpi-spend") == sums[COST]
    assert dashboard.raw("kpi-conversions") == sums[CONVERSIONS]
    assert dashboard.raw("kpi-roas") == pytest.approx(sums[REVENUE] / sums[COST], rel=1e-12)
    # The card rounds; its title has the cents.
    exact = dashboard.page.get_by_test_id("kpi-revenue").locator("span").first
    expect(exact).to_have_attribute("title", f"€{sums[REVENUE] / MICROS:,.2f}")


def test_filters_of_the_address_cut_the_figures(dashboard, world, days):
    text, start, end = days
    dashboard.open("executive", range=text, tz="UTC", channel="email,social", campaign="win-back-90d,creators-autumn")
    chosen = world.sums(start, end, lambda event: event.key[1])
    expected = chosen["win-back-90d"][REVENUE] + chosen["creators-autumn"][REVENUE]
    assert dashboard.raw("kpi-revenue") == expected
    dashboard.open("executive", range=text, tz="UTC", currency="USD")
    assert dashboard.raw("kpi-revenue") == world.sums(start, end)["USD"][REVENUE]


def test_the_csv_of_the_campaigns_has_every_micro(dashboard, world, days, tmp_path):
    text, start, end = days
    dashboard.open("performance", range=text, tz="UTC")
    with dashboard.page.expect_download() as download:
        dashboard.page.get_by_role("button", name="Save Campaigns as CSV").click()
    download.value.save_as(tmp_path / "campaigns.csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "campaigns.csv").read_text("utf-8-sig"))))
    expected = world.sums(start, end, lambda event: event.key[1])
    # The server makes the file: every currency of the selection is in it, and money is in micros.
    assert {row["campaign_id"] for row in rows} == {name for name, *_ in CAMPAIGNS}
    for row in rows:
        sums = expected[row["campaign_id"]]
        assert int(row["sums.revenue_micros"]) == sums[REVENUE]
        assert (int(row["sums.clicks"]), int(row["sums.impressions"])) == (sums[CLICKS], sums[IMPRESSIONS])


def test_every_chart_has_a_table_with_the_same_figures(dashboard, world, days):
    text, start, end = days
    dashboard.open("executive", range=text, tz="UTC", metric="clicks")
    dashboard.page.get_by_role("button", name="Clicks as a table").click()
    cells = dashboard.page.get_by_role("region", name="Clicks, table").locator("tbody tr td:nth-child(2)")
    expect(cells).to_have_count(10)
    shown = [int(cell.replace(",", "")) for cell in cells.all_inner_texts()]
    day = 86_400_000
    assert shown == [world.sums(at, at + day)["EUR"][CLICKS] for at in range(start, end, day)]


def test_records_add_up(dashboard, world):
    dashboard.open("platform", range="24h")
    received, accepted, duplicates, quarantined = (
        dashboard.raw(f"count-{name}") for name in ("received", "accepted", "duplicates", "quarantined")
    )
    assert received == accepted + duplicates + quarantined
    assert min(accepted, duplicates, quarantined) > 0
