"""Whose touches no longer count, from all accepted journey events at once.

Written from the section Consent of docs/data-contract.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb


@dataclass(frozen=True)
class Refusal:
    """A customer's newest event without consent to analytics and oldest event with it, UTC ms; None: there is none."""

    newest: int | None
    oldest_consent: int | None = None

    def void_until(self, rules: Mapping[str, Any] | None) -> int:
        """Touches up to this moment do not count; -1 when all do. `rules` are a tenant's own."""
        if self.newest is None:
            return -1
        withdrawn = self.oldest_consent is not None and self.oldest_consent <= self.newest
        required = rules is None or rules["consent"] == "required"
        return self.newest if required or withdrawn else -1


NO_REFUSAL = Refusal(None)


def refusals(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], Refusal]:
    """By tenant and customer, of those who refused. A flag that is absent counts as refused."""
    rows = connection.execute(
        """
        SELECT tenant_id, customer_id, max(event_time) FILTER (NOT coalesce(analytics, false)),
               min(event_time) FILTER (analytics)
        FROM accepted WHERE family = 'journey' GROUP BY ALL
        """
    ).fetchall()
    return {(tenant_id, name): Refusal(*moments) for tenant_id, name, *moments in rows if moments[0] is not None}
