"""The channels customers meet, and what each truly does to the chance of a conversion."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel as the customer meets it.

    `effect` is the probability that one touch alone brings about a conversion (see truth.py). `early` and `late` say
    how often it is met at the start and at the end of a journey, relative to the others. `cpm_micros` is the price of
    1,000 impressions and `click_rate` clicks per impression, for paid channels.
    """

    name: str
    effect: float
    early: float
    late: float
    platforms: tuple[str, ...]
    interactions: tuple[str, ...]
    cpm_micros: int = 0
    click_rate: float = 0.0

    @property
    def paid(self) -> bool:
        """Whether the tenant's campaigns run in this channel."""
        return self.cpm_micros > 0


# Channels that open journeys are weak closers and the other way round, so that first touch and last touch must
# disagree with the truth. Direct visits are common before a conversion and cause next to none. Prices and click rates
# are of a usual magnitude.
CHANNELS: tuple[Channel, ...] = (
    Channel("display", 0.020, 1.6, 0.5, ("google_ads", "criteo"), ("impression", "click"), 3_000_000, 0.006),
    Channel("video", 0.035, 1.3, 0.3, ("youtube", "tiktok"), ("impression", "view", "click"), 9_000_000, 0.010),
    Channel("social", 0.040, 1.5, 0.6, ("meta", "linkedin", "x"), ("impression", "click", "view"), 7_000_000, 0.015),
    Channel("native", 0.015, 0.8, 0.3, ("taboola", "outbrain"), ("impression", "click"), 4_000_000, 0.008),
    Channel("search", 0.090, 0.9, 1.6, ("google_ads", "bing"), ("click",), 25_000_000, 0.045),
    Channel("email", 0.065, 0.3, 1.3, ("mailchimp", "sendgrid", "klaviyo"), ("open", "click"), 1_000_000, 0.030),
    Channel("organic", 0.045, 1.0, 0.9, ("posthog", "segment"), ("visit",)),
    Channel("referral", 0.030, 0.4, 0.4, ("posthog", "segment"), ("visit", "click")),
    Channel("direct", 0.005, 0.4, 2.0, ("posthog", "segment"), ("visit", "call", "chat", "store_visit")),
)

PAID_CHANNELS = tuple(channel for channel in CHANNELS if channel.paid)

# Chance that a journey converts although no touch did it.
BASE_CONVERSION = 0.03
