"""The widgets that a custom dashboard may show, and which settings each takes: the one list that layouts are checked
against. `serving/web/src/dashboards/widget-kinds.tsx` says how each is shown; a test holds the two against each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

METRICS = frozenset(
    {
        "impressions", "clicks", "conversions", "spend", "revenue",
        "ctr", "conversion_rate", "cpc", "cpa", "roas", "score",
    }
)  # fmt: skip
"""Metrics as the web app and the settings of widgets name them."""

ADDITIVE_METRICS = frozenset({"impressions", "clicks", "conversions", "spend", "revenue"})
"""Those whose parts add up; the others are ratios."""


@dataclass(frozen=True, slots=True)
class Takes:
    """The settings of a kind: those that must be set, and those that may be."""

    required: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    adds_up: bool = False
    """The metric must be one of `ADDITIVE_METRICS`: it is shown in parts, or added up over days."""


_PLAIN = Takes()
_METRIC = Takes(required=frozenset({"metric"}))
_ADDITIVE_METRIC = Takes(required=frozenset({"metric"}), adds_up=True)

WIDGET_KINDS: Mapping[str, Takes] = MappingProxyType(
    {
        "kpi": _METRIC,
        "trend": Takes(optional=frozenset({"metric", "split"})),
        "stacked_bars": _ADDITIVE_METRIC,
        "donut": _ADDITIVE_METRIC,
        "top_campaigns": Takes(required=frozenset({"metric"}), optional=frozenset({"most"})),
        "campaign_table": _PLAIN,
        "heatmap": _METRIC,
        "funnel": _PLAIN,
        "score_gauge": _PLAIN,
        "attribution_models": _PLAIN,
        "live_conversions": _PLAIN,
        "alert_timeline": _PLAIN,
        "pulse": _PLAIN,
        "current_windows": _PLAIN,
        "record_counts": _PLAIN,
        "stages": _PLAIN,
        "stores": _PLAIN,
        "quarantine_gauge": _PLAIN,
        "quarantine_reasons": _PLAIN,
        "key_figures": _PLAIN,
        "forecast_line": _ADDITIVE_METRIC,
        "drill_down": _PLAIN,
        "correlation": _PLAIN,
        "journey_funnel": _PLAIN,
        "cohort": _PLAIN,
        "conversion_list": _PLAIN,
        "attribution_comparison": _PLAIN,
        "anomalies": _PLAIN,
        "data_quality": _PLAIN,
        "place_map": _PLAIN,
        "note": Takes(required=frozenset({"text"})),
    }
)
"""Every kind by its name in a layout."""
