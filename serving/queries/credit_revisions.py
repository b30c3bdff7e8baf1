"""What the credits of a conversion were before they became what they are, from the history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from serving.queries.attribution import TOUCHES, ModelCredit, of_conversion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving.queries.history import History

IN_FORCE = 0
"""`replaced_ms` of the revision that no newer one has replaced."""

DERIVED_FROM = 1_600_000_000_000_000
"""Revisions from here on are microseconds of a derivation (this one of 2020): those of the stream are smaller."""

_COLUMNS = f"""
revision, settings_version, value_micros, toString(model) AS of_model, toString(model_version), {TOUCHES}
"""


@dataclass(frozen=True, slots=True)
class CreditRevision:
    """The credits of a conversion at one revision, by model. Micros are net of the refunds known then."""

    revision: int
    settings_version: int
    replaced_ms: int
    """When the next revision was written; IN_FORCE: not yet."""
    value_micros: int
    models: tuple[ModelCredit, ...]


class CreditRevisionQueries:
    """Reads of revisions. Every method is about one tenant, takes at most `seconds`, and raises what `History.rows`
    raises."""

    def __init__(self, history: History) -> None:
        """Keep the history to ask."""
        self._history = history

    async def revisions(
        self,
        tenant_id: str,
        conversion_id: str,
        model: str,
        time_ms: int | None,
        size: int,
        after: int,
        seconds: float,
    ) -> list[CreditRevision]:
        """Return the revisions above `after` of a conversion with the credits of one model (empty: of all), oldest
        first, at most `size`; none when there is no such conversion."""
        condition, parameters = of_conversion(tenant_id, conversion_id, model, time_ms)
        conditions = f"{condition} AND revision > {{after:UInt64}}"
        # A row that is in force comes first of its revision, whatever was kept of it by one about to replace it. What
        # the stream replaced after the first derivation had been outranked by that: nobody saw it.
        rows = await self._history.rows(
            f"""
            SELECT * EXCEPT derived FROM (
                SELECT *, minIf(revision, revision >= {DERIVED_FROM}) OVER (PARTITION BY of_model) AS derived FROM (
                    SELECT * FROM (
                        SELECT {_COLUMNS}, toUnixTimestamp64Milli(replaced_at) AS replaced_ms
                        FROM credit_revisions FINAL WHERE {conditions}
                        UNION ALL
                        SELECT {_COLUMNS}, toInt64({IN_FORCE}) AS replaced_ms
                        FROM attribution_credits FINAL WHERE {conditions}
                    )
                    ORDER BY revision, of_model, replaced_ms
                    LIMIT 1 BY revision, of_model
                )
            )
            WHERE derived = 0 OR revision >= derived OR replaced_ms <= intDiv(derived, 1000)
            ORDER BY revision, of_model
            LIMIT {{size:UInt32}} BY of_model
            """,  # noqa: S608 - built from constants; values are bound
            parameters | {"after": after, "size": size},
            name="credit_revisions",
            seconds=seconds,
        )
        return _joined(rows)[:size]


def _joined(rows: Sequence[Sequence[Any]]) -> list[CreditRevision]:
    """Join rows of one revision and model each, which come one revision after the other."""
    found: dict[int, CreditRevision] = {}
    for row in rows:
        credit = ModelCredit(row[3], row[4], row[5:11])
        known = found.get(row[0])
        found[row[0]] = CreditRevision(
            revision=row[0],
            settings_version=row[1],
            replaced_ms=row[11],
            value_micros=row[2],
            models=(*(known.models if known else ()), credit),
        )
    return list(found.values())
