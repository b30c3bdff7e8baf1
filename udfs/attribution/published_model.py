"""A trained model as it is published: effects by channel with a version, and the credit of one path by it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from udfs.attribution.data_driven import ChannelEffects
from udfs.attribution.heuristics import custom_weights
from udfs.attribution.settings import SettingsError
from udfs.attribution.transforms import TransformError, chain, transformed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ALL_TYPES = ""
"""The conversion type of a model that is for all of them."""

# A record of the control topic holds all models of a tenant in force, and Kafka takes a megabyte by default.
MAX_CHANNELS = 1_000


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """Effects by channel, and from when on they credit. Checked when made.

    Raises:
        SettingsError: naming what is not allowed.
    """

    version: str
    """Unique within the tenant; goes into every credit that the model gives."""
    conversion_type: str
    """What it credits; ALL_TYPES: every type that has no model of its own."""
    in_force_from: int
    """UTC ms. A conversion is credited by the newest model in force at its time, and by the oldest one known when it is
    older than all: so each credit keeps the version that it got, and a replay gives it the same one."""
    effects: Mapping[str, float]
    transforms: tuple[str, ...] = ()
    """Those that it was trained with, and that a path goes through before it is credited."""
    _weights: dict[str, float] = field(init=False, repr=False, compare=False)
    _average: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Check, and prepare what every path needs."""
        if not (isinstance(self.version, str) and 0 < len(self.version) <= 100):
            raise SettingsError("models.version", self.version, "1 to 100 characters")
        if not isinstance(self.conversion_type, str):
            raise SettingsError("models.conversion_type", self.conversion_type, "a text")
        if not (isinstance(self.in_force_from, int) and 0 <= self.in_force_from < 1 << 53):
            raise SettingsError("models.in_force_from", self.in_force_from, "a time in UTC ms")
        numbers = all(isinstance(effect, int | float) and math.isfinite(effect) for effect in self.effects.values())
        if not (numbers and 0 < len(self.effects) <= MAX_CHANNELS):
            raise SettingsError("models.effects", dict(self.effects), f"1 to {MAX_CHANNELS} channels, finite numbers")
        try:
            chain(self.transforms)
        except TransformError as error:
            raise SettingsError("models.transforms", self.transforms, str(error)) from None
        floored = {channel: max(float(effect), 0.0) for channel, effect in self.effects.items()}
        object.__setattr__(self, "_weights", floored)
        object.__setattr__(self, "_average", math.fsum(floored.values()) / len(floored))

    def path_weights(self, channels: Sequence[str]) -> list[float]:
        """Return the weights of a path's touches, summing to 1: wᵢ ∝ max(effect of channelᵢ, 0).

        The rules are those of `ChannelEffects.path_weights`: every touch of a repeated channel weighs the same, an
        unknown channel as the average one, and when all weigh 0 all weigh the same. A touch that a transform removes
        weighs 0.
        """
        if not self.transforms:
            return custom_weights(channels, self._weights, self._average)
        touches = transformed(channels, chain(self.transforms))
        weights = [0.0] * len(channels)
        credited = custom_weights([name for _, name in touches], self._weights, self._average)
        for (index, _), weight in zip(touches, credited, strict=True):
            weights[index] = weight
        return weights

    def channel_effects(self) -> ChannelEffects:
        """Return the effects as training knows them."""
        return ChannelEffects(self.effects)

    def document(self) -> dict[str, Any]:
        """Return the model as it stands in a record of the control topic."""
        return {
            "version": self.version,
            "conversion_type": self.conversion_type,
            "in_force_from": self.in_force_from,
            "transforms": list(self.transforms),
            "effects": dict(self.effects),
        }


def read_model(document: Any) -> PublishedModel:
    """Return the model of a document as `PublishedModel.document` makes it; fields it does not know are left alone.

    Raises:
        SettingsError: naming the field that is missing or not allowed.
    """
    if not isinstance(document, dict):
        raise SettingsError("models", document, "objects with version, in_force_from and effects")
    for name, kind in (("version", str), ("in_force_from", int), ("effects", dict)):
        if not isinstance(document.get(name), kind):
            raise SettingsError(f"models.{name}", document.get(name), f"a value of type {kind.__name__}")
    names = document.get("transforms", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SettingsError("models.transforms", names, "a list of names")
    return PublishedModel(
        document["version"],
        document.get("conversion_type", ALL_TYPES),
        document["in_force_from"],
        document["effects"],
        tuple(names),
    )
