"""Signals of a made-up company, as the pipeline sends them."""

from __future__ import annotations

import time

from tests.serving.signals import attribution_signal, window_signal
from tests.web.marketing_world import CAMPAIGNS, MICROS, PATHS, models
from udfs.attribution.apportion import apportion


def windows_now(tenant: str, rng) -> list[dict]:
    """Return the newest windows of some campaigns."""
    end = int(time.time()) * 1000
    signals = []
    for campaign, channel, currency, _, ctr, rate, worth in rng.sample(CAMPAIGNS, 5):
        signal = window_signal(tenant, campaign, end, channel=channel, currency=currency, created=end - 400)
        impressions = rng.randrange(900, 4000)
        clicks = round(impressions * ctr)
        conversions = round(clicks * rate + rng.random())
        signal |= {
            "impressions": impressions,
            "clicks": clicks,
            "conversions": conversions,
            "cost_micros": round((impressions * 0.0042 + clicks * 0.38) * MICROS),
            "revenue_micros": conversions * worth * MICROS,
        }
        signals.append(signal)
    return signals


def conversion(tenant: str, conversion_id: str, rng) -> dict:
    """Return a conversion that was just attributed."""
    now = int(time.time() * 1000)
    path = rng.choice(PATHS)
    times = sorted(now - rng.randrange(60_000, 5 * 86_400_000) for _ in path)
    value = rng.randrange(9 * MICROS, 240 * MICROS)
    signal = attribution_signal(tenant, conversion_id, now)
    signal |= {
        "gross_value_micros": value,
        "value_micros": value,
        "touches": [
            [f"{conversion_id}-{n}", channel, "", at] for n, (channel, at) in enumerate(zip(path, times, strict=True))
        ],
        "models": {
            name: {"weights": w, "credited_micros": apportion(value, w)} for name, w in models(path, times).items()
        },
    }
    return signal
