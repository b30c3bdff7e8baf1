"""A small company's stored figures: campaigns over six weeks, conversions with their credit, alerts and counts.

Everything is drawn from one seed, and the events are kept, so that a test can add up what a page must show.
"""

from __future__ import annotations

import math
import random
import time

from tests.serving.pipeline_model import DAY, HOUR, MINUTE, CampaignEvent, add_up, rollups, windows
from tests.serving.stored_rows import (
    insert_alerts,
    insert_anomalies,
    insert_counts,
    insert_credits,
    insert_events,
    insert_journey_events,
    insert_journeys,
    insert_late,
    insert_rollups,
    insert_windows,
)
from tests.web import journeys_of_world
from udfs.attribution import heuristics
from udfs.attribution.apportion import apportion

# Campaign, channel, currency, weight: how much of the traffic it has, clicks per impression, conversions per click,
# revenue per conversion in units.
CAMPAIGNS = (
    ("spring-launch", "search", "EUR", 9, 0.041, 0.062, 68),
    ("brand-always-on", "search", "EUR", 7, 0.058, 0.081, 54),
    ("retargeting-cart", "display", "EUR", 6, 0.009, 0.094, 71),
    ("prospecting-eu", "display", "EUR", 8, 0.004, 0.021, 63),
    ("creators-autumn", "social", "EUR", 7, 0.017, 0.028, 49),
    ("lookalike-buyers", "social", "EUR", 5, 0.021, 0.035, 58),
    ("newsletter-weekly", "email", "EUR", 4, 0.034, 0.071, 62),
    ("win-back-90d", "email", "EUR", 2, 0.027, 0.055, 47),
    ("how-it-works", "video", "EUR", 5, 0.006, 0.018, 66),
    ("editorial-picks", "native", "EUR", 3, 0.008, 0.026, 52),
    ("us-search-test", "search", "USD", 2, 0.038, 0.044, 60),
)
# Five whole weeks and some days: what a projection by weekday needs.
DAYS = 40
EVENTS_PER_DAY = 260
CONVERSIONS = 240
MICROS = 1_000_000
PATHS = (
    ("social", "search"),
    ("display", "search", "direct"),
    ("email",),
    ("search",),
    ("video", "social", "email", "search"),
    ("display", "display", "search"),
    ("native", "direct"),
    ("social", "email"),
)


class MarketingWorld:
    """What is stored of one tenant. `now` (ms) is when it was made; nothing is later."""

    def __init__(self, tenant: str, seed: int) -> None:
        """Draw the events; nothing is stored yet."""
        self.tenant = tenant
        self.rng = random.Random(f"{tenant}/{seed}")
        self.now = int(time.time() * 1000)
        self.events = self._draw_events()
        self.credits = self._credits()

    def store(self, address) -> None:
        """Insert everything, as the pipeline would have stored it."""
        watermark = self.now - 2_000
        insert_events(address, self.events)
        insert_windows(address, windows(self.events, watermark))
        insert_rollups(address, rollups(self.events, watermark))
        insert_credits(address, self.credits)
        insert_alerts(address, self._alerts())
        insert_counts(address, self._counts())
        journeys, events = journeys_of_world.converted(self)
        others, starts = journeys_of_world.unconverted(self)
        insert_journeys(address, [*journeys, *others])
        insert_journey_events(address, [*events, *starts])
        insert_anomalies(address, [self._anomaly(number) for number in range(6)])
        insert_late(
            address, [(self.tenant, self.now - HOUR * n, f"late-{n}", self.now - HOUR * n) for n in range(1, 40)]
        )

    def sums(self, start: int, end: int, name=lambda event: event.key[3]):
        """Add up the events of [start, end) by `name`, which is the currency unless another is given; in the order of
        `pipeline_model.SUMS`."""
        return add_up([event for event in self.events if start <= event.time_ms < end], name)

    def _draw_events(self) -> list[CampaignEvent]:
        rng = self.rng
        events = []
        weights = [row[3] for row in CAMPAIGNS]
        for number in range(DAYS * EVENTS_PER_DAY):
            age = self._age(number)
            campaign, channel, currency, _, ctr, rate, worth = rng.choices(CAMPAIGNS, weights)[0]
            # Traffic grows slowly, and slackens at weekends.
            growth = 1 + 0.25 * (1 - age / (DAYS * DAY))
            impressions = int(rng.uniform(1_200, 5_200) * growth)
            clicks = round(impressions * ctr * rng.uniform(0.8, 1.2))
            conversions = round(clicks * rate * rng.uniform(0.6, 1.4) + rng.random() * 0.5)
            cost = round((impressions * 0.0042 + clicks * 0.38) * MICROS * rng.uniform(0.9, 1.1))
            revenue = sum(round(rng.uniform(0.5, 1.6) * worth * MICROS) for _ in range(conversions))
            sums = (impressions, clicks, conversions, cost, revenue, 1)
            events.append(CampaignEvent(f"w{number}", (self.tenant, campaign, channel, currency), self.now - age, sums))
        return events

    def _age(self, number: int) -> int:
        """Return how long ago an event was, ms: more by day and in the week, some in the last minutes."""
        rng = self.rng
        if number < 12:
            return rng.randrange(8_000, 14 * MINUTE)
        while True:
            age = rng.randrange(8_000, DAYS * DAY)
            at = self.now - age
            hour = at % DAY / HOUR
            weekday = (at // DAY + 3) % 7
            day = 0.25 + 0.75 * max(0.0, math.sin(math.pi * (hour - 5) / 18))
            if rng.random() < day * (0.7 if weekday >= 5 else 1.0):
                return age

    def _credits(self) -> list[dict]:
        rng = self.rng
        by_channel: dict[str, list[str]] = {}
        for campaign, channel, *_ in CAMPAIGNS:
            by_channel.setdefault(channel, []).append(campaign)
        rows = []
        for number in range(CONVERSIONS):
            at = self.now - (rng.randrange(MINUTE, DAY) if number < 40 else rng.randrange(DAY, DAYS * DAY))
            path = rng.choice(PATHS)
            times = sorted(at - rng.randrange(10 * MINUTE, 9 * DAY) for _ in path)
            campaigns = [rng.choice(by_channel[channel]) if channel in by_channel else "" for channel in path]
            value = rng.randrange(9 * MICROS, 240 * MICROS)
            kind = rng.choice(["purchase", "purchase", "subscription"])
            for model, weights in models(path, times).items():
                micros = apportion(value, weights)
                ids = [f"touch-{number}-{index}" for index in range(len(path))]
                rows.append(
                    {
                        "tenant_id": self.tenant,
                        "conversion_id": f"order-{number:04}",
                        "model": model,
                        "conversion_type": kind,
                        "customer_id": f"customer-{number % 90}",
                        "journey_id": f"journey-{number}",
                        "currency": "EUR",
                        "conversion_time": at,
                        "gross": value,
                        "revision": len(path),
                        "touches": list(zip(ids, path, campaigns, times, weights, micros, strict=True)),
                    }
                )
        return rows

    def _alerts(self) -> list[dict]:
        rng = self.rng
        kinds = (
            ("low_performance", "warning", "performance_score", 47.5, 60.0, "Performance score below 60"),
            (
                "conversion_rate_drop",
                "warning",
                "conversion_rate",
                0.012,
                0.02,
                "Conversion rate far below its baseline",
            ),
            ("budget_utilization", "critical", "budget_utilization", 0.94, 0.9, "More than 90 % of budget is spent"),
        )
        alerts = []
        for number in range(16):
            rule, severity, metric, value, threshold, message = kinds[number % 3]
            campaign, channel, *_ = rng.choice(CAMPAIGNS)
            opened = self.now - (
                rng.randrange(5 * MINUTE, 50 * MINUTE) if number < 3 else rng.randrange(2 * HOUR, 6 * DAY)
            )
            state = "raised" if number < 3 else "cleared"
            alerts.append(
                {
                    "tenant_id": self.tenant,
                    "alert_id": f"alert-{number}",
                    "rule": rule,
                    "severity": severity,
                    "state": state,
                    "campaign_id": campaign,
                    "channel": channel,
                    "metric": metric,
                    "value": value,
                    "threshold": threshold,
                    "opened_at": opened,
                    "updated_at": opened if state == "raised" else opened + rng.randrange(2 * MINUTE, 90 * MINUTE),
                    "message": message,
                }
            )
        return alerts

    def _anomaly(self, number: int) -> tuple:
        campaign, channel, currency, *_ = CAMPAIGNS[number]
        at = (self.now - (5 + 9 * number) * HOUR) // HOUR * HOUR
        return (self.tenant, campaign, channel, currency, "clicks", at, 900.0 + number, 300.0, 3.5 + number)

    def _counts(self) -> list[tuple]:
        rows = []
        for hour in range(7 * 24):
            start = (self.now - hour * HOUR) // 5_000 * 5_000 - 5_000
            accepted, duplicates, quarantined = 900 + hour % 24 * 20, 12 + hour % 5, 4 + hour % 3
            rows.append((self.tenant, start, "valid", "", accepted + duplicates))
            rows.append((self.tenant, start, "accepted", "", accepted))
            rows.append((self.tenant, start, "quarantined", "invalid_currency", quarantined - 1))
            rows.append((self.tenant, start, "quarantined", "clicks_exceed_impressions,missing_channel", 1))
        return rows


def models(path, times) -> dict[str, list[float]]:
    """Weights of each model for one path."""
    return {
        "first_touch": heuristics.first_touch(len(path)),
        "last_touch": heuristics.last_touch(len(path)),
        "last_non_direct": heuristics.last_non_direct(path),
        "linear": heuristics.linear(len(path)),
        "time_decay": heuristics.time_decay(times),
        "position_based": heuristics.position_based(len(path)),
    }
