"""Settings of attribution in the stream: the rules of a conversion's credit, and how much is kept of a person."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn

from udfs.attribution.consent import Consent
from udfs.attribution.heuristics import DAY_MS, DEFAULT_HALF_LIFE_MS, DEFAULT_POSITION_WEIGHTS
from udfs.attribution.transforms import TransformError, chain

INTERACTION_TYPES = (
    *("impression", "view", "click", "open", "visit", "form_submit", "call", "chat", "store_visit", "other"),
)


class Model(StrEnum):
    """Models; `heuristics` defines all but the last, which a trained model of the tenant defines."""

    FIRST_TOUCH = "first_touch"
    LAST_TOUCH = "last_touch"
    LAST_NON_DIRECT = "last_non_direct"
    LINEAR = "linear"
    TIME_DECAY = "time_decay"
    POSITION_BASED = "position_based"
    CUSTOM_WEIGHTS = "custom_weights"
    DATA_DRIVEN = "data_driven"


RULE_BASED = tuple(model.value for model in Model if model is not Model.DATA_DRIVEN)
DEFAULT_MODELS = tuple(model for model in RULE_BASED if model != Model.CUSTOM_WEIGHTS)


class SettingsError(ValueError):
    """A setting has a value that is not allowed; the message names the setting, the value and what is allowed."""

    def __init__(self, name: str, value: object, allowed: str) -> None:
        """Keep the parts, so that whoever knows the setting by another name can say it again."""
        super().__init__(f"{name} is {value!r}; allowed: {allowed}")
        self.name = name
        self.value = value
        self.allowed = allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class TouchFilter:
    """Which touches count at all. What it leaves out is not in the path: not credited, not listed.

    Raises:
        SettingsError: an interaction type is unknown.
    """

    exclude_channels: tuple[str, ...] = ()
    exclude_campaigns: tuple[str, ...] = ()
    interaction_types: tuple[str, ...] = ()
    """Only touches of these types count; none: all do. A touch whose type was not remembered (state of version 1)
    counts."""

    def __post_init__(self) -> None:
        """Check the interaction types."""
        if not set(self.interaction_types) <= set(INTERACTION_TYPES):
            allowed = f"some of {', '.join(INTERACTION_TYPES)}"
            _refuse("touch_filter.interaction_types", self.interaction_types, allowed)

    def keeps(self, channel: str, campaign_id: str, interaction_type: str) -> bool:
        """Tell whether a touch counts."""
        return (
            channel not in self.exclude_channels
            and (not campaign_id or campaign_id not in self.exclude_campaigns)
            and (not self.interaction_types or not interaction_type or interaction_type in self.interaction_types)
        )


ALL_TOUCHES = TouchFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditRules:
    """How the conversions of one tenant, or of one of its conversion types, are credited; checked when made.

    Raises:
        SettingsError: naming the first setting whose value is not allowed.
    """

    models: tuple[str, ...] = DEFAULT_MODELS
    """Models to credit by, each once."""

    lookback_ms: int = 30 * DAY_MS
    """A touch counts for a conversion when conversion time - look-back <= touch time <= conversion time."""

    transforms: tuple[str, ...] = ()
    """Path transforms before every rule-based model, in this order, by the names of `transforms.chain`. A trained model
    brings its own: those that it was trained with."""

    touch_filter: TouchFilter = ALL_TOUCHES
    """Which touches count at all."""

    half_life_ms: float = DEFAULT_HALF_LIFE_MS
    """Half-life of time decay; for a rate per day pass `half_life_of(rate)`."""

    position_weights: tuple[float, float, float] = DEFAULT_POSITION_WEIGHTS
    """First touch, all middle touches together, last touch."""

    channel_weights: tuple[tuple[str, float], ...] = ()
    """(channel, weight) of the custom model; a channel not listed weighs 1."""

    consent: str = Consent.REQUIRED.value
    """What an event without consent to analytics is taken for."""

    def __post_init__(self) -> None:
        """Check every value."""
        known = [model.value for model in Model]
        if not self.models or len(set(self.models)) != len(self.models) or not set(self.models) <= set(known):
            _refuse("models", self.models, f"one or more of {', '.join(known)}, each once")
        # Plain strings: members of the enum are strings too, but no JSON writer takes them as keys.
        object.__setattr__(self, "models", tuple(Model(model).value for model in self.models))
        if not DAY_MS // 24 <= self.lookback_ms <= 365 * DAY_MS:
            _refuse("lookback_ms", self.lookback_ms, f"one hour to 365 days ({DAY_MS // 24} to {365 * DAY_MS})")
        if self.consent not in tuple(Consent):
            _refuse("consent", self.consent, f"one of {', '.join(Consent)}")
        try:
            chain(self.transforms)
        except TransformError as error:
            _refuse("transforms", self.transforms, str(error))
        if not 60_000 <= self.half_life_ms <= 3_650 * DAY_MS:  # beyond ten years it is the linear model
            _refuse("half_life_ms", self.half_life_ms, f"one minute to ten years (60000 to {3_650 * DAY_MS})")
        if len(self.position_weights) != 3 or not _are_weights(self.position_weights):
            _refuse("position_weights", self.position_weights, "three finite numbers, none negative, one positive")
        if self.channel_weights and not _are_weights([weight for _, weight in self.channel_weights]):
            _refuse(
                "channel_weights", self.channel_weights, "(channel, weight) pairs: finite, none negative, one positive"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributionSettings(CreditRules):
    """The rules where a tenant has none of its own, and the bounds of what is kept; checked when made.

    Raises:
        SettingsError: naming the first setting whose value is not allowed.
    """

    retention_ms: int = 90 * DAY_MS
    """A conversion is kept until the person's newest fact is so much newer; everything else for one look-back longer,
    so that every conversion kept has its whole path. 90 days: the topic's retention, older events are refused."""

    max_touches: int = 400
    """Newest touches kept of a person, and the longest path credited: more than three a day over the 120 days kept by
    default. Bounds the work per fact and the state (about 60 bytes a touch) of shared devices and robots."""

    max_conversions: int = 200
    """Newest conversions kept of a person: more than two a day. A forgotten one keeps its last credits for ever."""

    max_refunds: int = 200
    """Newest refunds and cancellations kept of a person, those that still wait for their conversion among them."""

    max_stage_changes: int = 200
    """Newest starts and stage changes remembered of a person, so that a copy of one is not counted again."""

    max_journeys: int = 100
    """Journeys kept of a person: those with the newest facts. A forgotten one starts anew when it is seen again."""

    def __post_init__(self) -> None:
        """Check every value."""
        CreditRules.__post_init__(self)
        if not self.lookback_ms <= self.retention_ms <= 400 * DAY_MS:
            _refuse("retention_ms", self.retention_ms, f"lookback_ms ({self.lookback_ms}) to 400 days ({400 * DAY_MS})")
        for name in ("max_touches", "max_conversions", "max_refunds", "max_stage_changes", "max_journeys"):
            if not 1 <= getattr(self, name) <= 10_000:  # about a megabyte of state, several milliseconds a fact
                _refuse(name, getattr(self, name), "1 to 10000")


def _are_weights(weights: tuple[float, ...] | list[float]) -> bool:
    return all(math.isfinite(weight) and weight >= 0 for weight in weights) and sum(weights) > 0


def _refuse(name: str, value: object, allowed: str) -> NoReturn:
    raise SettingsError(name, value, allowed)
