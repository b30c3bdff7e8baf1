"""The channels customers meet, and what each truly does to the chance of a conversion."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel as the customer meets it.

    `effect` is the probability that one touch alone brings about a conversion (see truth.py). `browsing` and `seeking`
    say how often it is met by people who look for nothing and by those who do, relative to the others. `cpm_micros` is
    the price of 1,000 impressions and `click_rate` clicks per impression, for paid channels.
    """

    name: str
    effect: float
    browsing: float
    seeking: float
    platforms: tuple[str, ...]
    interactions: tuple[str, ...]
    cpm_micros: int = 0
    click_rate: float = 0.0

    @property
    def paid(self) -> bool:
        """Whether the tenant's campaigns run in this channel."""
        return self.cpm_micros > 0


# Most journeys are of people who browse: they meet what is put before them (display, video, social, native), which does
# little. Who seeks something looks for it, and comes back by a mail or a bookmark: such touches are few, say much and
# do most. That is where the AUC of published models of conversion comes from. What people want shows in the channels
# that they meet and does not change what a touch does, so that the truth stays known: it is `effect`.
# The channels that open the seekers' journeys are weak closers and the other way round, so that first touch and last
# touch must disagree with the truth. Direct visits are common before a conversion and cause next to none. A visitor
# from a search converts some hundred times as often as one who was shown a banner, as usual conversion rates by click
# and by impression do; their level is several times the usual one, so that short streams have conversions. Prices and
# click rates are of a usual magnitude.
CHANNELS: tuple[Channel, ...] = (
    Channel("display", 0.003, 1.6, 0.15, ("google_ads", "criteo"), ("impression", "click"), 3_000_000, 0.006),
    Channel("video", 0.005, 1.3, 0.1, ("youtube", "tiktok"), ("impression", "view", "click"), 9_000_000, 0.010),
    Channel("social", 0.008, 1.5, 0.2, ("meta", "linkedin", "x"), ("impression", "click", "view"), 7_000_000, 0.015),
    Channel("native", 0.002, 0.8, 0.1, ("taboola", "outbrain"), ("impression", "click"), 4_000_000, 0.008),
    Channel("search", 0.300, 0.06, 2.0, ("google_ads", "bing"), ("click",), 25_000_000, 0.045),
    Channel("email", 0.220, 0.05, 1.3, ("mailchimp", "sendgrid", "klaviyo"), ("open", "click"), 1_000_000, 0.030),
    Channel("organic", 0.100, 0.12, 1.0, ("posthog", "segment"), ("visit",)),
    Channel("referral", 0.060, 0.1, 0.4, ("posthog", "segment"), ("visit", "click")),
    Channel("direct", 0.005, 0.4, 1.4, ("posthog", "segment"), ("visit", "call", "chat", "store_visit")),
)

PAID_CHANNELS = tuple(channel for channel in CHANNELS if channel.paid)

# Share of the journeys of people who seek something, and how much of that shows in their first touch; in their last
# one it shows fully.
SEEKING_SHARE, SEEKING_AT_START = 0.3, 0.3

# Chance that a journey converts although no touch did it.
BASE_CONVERSION = 0.003
