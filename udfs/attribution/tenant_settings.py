"""Attribution settings of one tenant: rules by conversion type and published models, with a version.

They travel as one JSON record on a compacted topic (docs/data-contract.md, `measurement-control`), newest version wins:

    {"kind": "attribution_settings", "tenant_id": "acme", "version": 3, "updated_at": 1760000000000,
     "settings": {"models": ["linear", "data_driven"], "lookback_days": 30, "transforms": ["exposure", "trim(20)"],
                  "touch_filter": {"exclude_channels": ["direct"], "exclude_campaigns": [], "interaction_types": []},
                  "half_life_days": 7, "position_weights": [0.4, 0.2, 0.4], "channel_weights": {"email": 2},
                  "consent": "required", "conversion_types": {"signup": {"lookback_days": 7}}},
     "models": [{"version": "markov2-…", "conversion_type": "", "in_force_from": …, "transforms": […], "effects": {…}}]}

Every key of `settings` is optional: what is missing is as in the job's own settings. `decay_per_day` may stand in place
of `half_life_days`. A conversion type takes what it does not state from the tenant's settings.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import orjson

from udfs.attribution.heuristics import DAY_MS, half_life_of
from udfs.attribution.published_model import ALL_TYPES, PublishedModel, read_model
from udfs.attribution.settings import CreditRules, Model, SettingsError, TouchFilter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

KIND = "attribution_settings"

# Credits under newer settings outrank all credits under older ones: the version stands above the number of facts in a
# revision. 2^32 facts of one conversion are out of reach, and readers in JavaScript count to 2^53.
FACT_BITS = 32
LARGEST_VERSION = (1 << 21) - 1
# What Kafka takes by default is 1 MiB with its framing.
LARGEST_RECORD = 1_000_000
MAX_CONVERSION_TYPES = 200

_DAYS = {"lookback_days": "lookback_ms", "half_life_days": "half_life_ms"}


@dataclass(frozen=True, slots=True)
class TenantSettings:
    """What a tenant's conversions are credited by. Made by `read_settings` or `job_settings`."""

    version: int
    """0: the job's own settings. Grows with every change."""
    rules: CreditRules
    by_type: Mapping[str, CreditRules] = field(default_factory=dict)
    models: Mapping[str, Sequence[PublishedModel]] = field(default_factory=dict)
    """By conversion type, each in the order of (in force from, version)."""
    longest_lookback_ms: int = field(init=False)
    """The longest look-back of any conversion type: touches must be kept for so long."""

    def __post_init__(self) -> None:
        """Prepare what every fact needs."""
        longest = max(rules.lookback_ms for rules in (self.rules, *self.by_type.values()))
        object.__setattr__(self, "longest_lookback_ms", longest)

    def rules_of(self, conversion_type: str) -> CreditRules:
        """Return the rules of a conversion type."""
        return self.by_type.get(conversion_type, self.rules)

    def model_of(self, conversion_type: str, time: int) -> PublishedModel | None:
        """Return the trained model that credits a conversion of this type at this time (UTC ms), None without one.

        The newest in force at that time, or the oldest known when the conversion is older than all.
        """
        known = self.models.get(conversion_type) or self.models.get(ALL_TYPES)
        if not known:
            return None
        return known[max(0, bisect_right(known, time, key=lambda model: model.in_force_from) - 1)]

    @property
    def revision_base(self) -> int:
        """What is added to the number of facts to make the revision of a credit."""
        return self.version << FACT_BITS


def read_settings(text: bytes | str, job: CreditRules) -> tuple[str, TenantSettings]:
    """Return tenant id and settings of a record.

    Args:
        text: the record's value.
        job: the rules for whatever the record leaves out.

    Raises:
        SettingsError: naming the key, its value and what is allowed.
    """
    try:
        record = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise SettingsError("record", f"{len(text)} bytes", "a JSON object") from None
    if not isinstance(record, dict) or record.get("kind") != KIND:
        raise SettingsError("kind", record.get("kind") if isinstance(record, dict) else record, repr(KIND))
    tenant_id, version = record.get("tenant_id"), record.get("version")
    if not (isinstance(tenant_id, str) and tenant_id):
        raise SettingsError("tenant_id", tenant_id, "a tenant's id")
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= LARGEST_VERSION:
        raise SettingsError("version", version, f"1 to {LARGEST_VERSION}")
    documents = record.get("models", [])
    if not isinstance(documents, list):
        raise SettingsError("models", documents, "a list")
    return tenant_id, settings_of(record.get("settings", {}), job, version, [read_model(one) for one in documents])


def settings_of(document: Any, job: CreditRules, version: int, models: Sequence[PublishedModel]) -> TenantSettings:
    """Return the settings of a document (the value of `settings` in a record) and models.

    Raises:
        SettingsError: naming the key, its value and what is allowed; also when `data_driven` is chosen where no model
        is published.
    """
    _check_keys(document, (*_READERS, "conversion_types"), "")
    types = document.get("conversion_types", {})
    if not isinstance(types, dict) or len(types) > MAX_CONVERSION_TYPES or "" in types:
        raise SettingsError("conversion_types", types, f"an object of at most {MAX_CONVERSION_TYPES} conversion types")
    plain = {item.name: getattr(job, item.name) for item in fields(CreditRules)}
    rules = _rules(document, CreditRules(**plain), "")
    by_type = {}
    for name, own in types.items():
        _check_keys(own, tuple(_READERS), f"conversion_types.{name}.")
        by_type[name] = _rules(own, rules, f"conversion_types.{name}.")
    by_kind: dict[str, list[PublishedModel]] = {}
    for model in sorted(models, key=lambda one: (one.in_force_from, one.version)):
        by_kind.setdefault(model.conversion_type, []).append(model)
    for conversion_type, chosen in ((ALL_TYPES, rules), *by_type.items()):
        if Model.DATA_DRIVEN in chosen.models and not (by_kind.get(conversion_type) or by_kind.get(ALL_TYPES)):
            allowed = f"{Model.DATA_DRIVEN} only once a model is published: python -m jobs.train_attribution"
            path = f"conversion_types.{conversion_type}." if conversion_type else ""
            raise SettingsError(f"{path}models", list(chosen.models), allowed)
    return TenantSettings(version, rules, by_type, by_kind)


def job_settings(job: CreditRules) -> TenantSettings:
    """Return the settings of a tenant that has none of its own: the job's."""
    return TenantSettings(0, job)


def record_of(
    tenant_id: str, version: int, updated_at: int, document: Mapping[str, Any], models: Sequence[PublishedModel]
) -> bytes:
    """Return the record of the control topic.

    Raises:
        SettingsError: it is too large for the topic.
    """
    record = orjson.dumps(
        {
            "kind": KIND,
            "tenant_id": tenant_id,
            "version": version,
            "updated_at": updated_at,
            "settings": document,
            "models": [model.document() for model in models],
        }
    )
    if len(record) > LARGEST_RECORD:
        raise SettingsError("record", f"{len(record)} bytes", f"{LARGEST_RECORD} bytes; retire old models")
    return record


def _check_keys(document: Any, known: Sequence[str], path: str) -> None:
    if not isinstance(document, dict):
        raise SettingsError(path.rstrip(".") or "settings", document, "an object")
    for key in document:
        if key not in known:
            raise SettingsError(f"{path}{key}", document[key], f"no such key; {', '.join(known)}")


def _rules(document: dict[str, Any], base: CreditRules, path: str) -> CreditRules:
    """Return `base` with what the document states."""
    if "half_life_days" in document and "decay_per_day" in document:
        raise SettingsError(f"{path}decay_per_day", document["decay_per_day"], "this or half_life_days, not both")
    try:
        return replace(
            base, **dict(read(document[key], path + key) for key, read in _READERS.items() if key in document)
        )
    except SettingsError as error:
        # A reader knows the whole path; what `CreditRules` refuses gets the key and the value of the document.
        key = {inner: outer for outer, inner in _DAYS.items()}.get(error.name)
        if key is None and error.name.startswith(path) and path:
            raise
        key = key or error.name
        raise SettingsError(path + key, document.get(key, error.value), error.allowed) from None


def _days(value: Any, key: str) -> tuple[str, int]:
    return _DAYS[key.rpartition(".")[2]], round(_number(value, key) * DAY_MS)


def _decay(value: Any, key: str) -> tuple[str, float]:
    # The bounds are those of the half-life, ten years and a minute.
    if not 0.0002 <= _number(value, key) <= 998:
        raise SettingsError(key, value, "0.0002 to 998 per day")
    return "half_life_ms", half_life_of(value)


def _position_weights(value: Any, key: str) -> tuple[str, tuple[float, ...]]:
    if not isinstance(value, list):
        raise SettingsError(key, value, "a list of three numbers: first, middle, last")
    return "position_weights", tuple(_number(one, key) for one in value)


def _channel_weights(value: Any, key: str) -> tuple[str, tuple[tuple[str, float], ...]]:
    if not isinstance(value, dict):
        raise SettingsError(key, value, "an object: weight by channel")
    return "channel_weights", tuple((name, _number(one, f"{key}.{name}")) for name, one in value.items())


def _touch_filter(value: Any, key: str) -> tuple[str, TouchFilter]:
    _check_keys(value, tuple(item.name for item in fields(TouchFilter)), f"{key}.")
    return "touch_filter", TouchFilter(**{name: _texts(some, f"{key}.{name}") for name, some in value.items()})


def _number(value: Any, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise SettingsError(key, value, "a finite number")
    return value


def _texts(value: Any, key: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise SettingsError(key, value, "a list of texts")
    return tuple(value)


# What each key of a document becomes: a field of `CreditRules` and its value.
_READERS: dict[str, Callable[[Any, str], tuple[str, Any]]] = {
    "models": lambda value, key: ("models", _texts(value, key)),
    "transforms": lambda value, key: ("transforms", _texts(value, key)),
    "lookback_days": _days,
    "half_life_days": _days,
    "decay_per_day": _decay,
    "touch_filter": _touch_filter,
    "position_weights": _position_weights,
    "channel_weights": _channel_weights,
    "consent": lambda value, _key: ("consent", value),
}
