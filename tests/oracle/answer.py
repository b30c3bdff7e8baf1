"""Everything that record files say must be stored, as DuckDB tables."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Self

import duckdb

from tests.oracle import attribution, campaign_sums, identity, journeys, messages

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from types import TracebackType

    from tests.oracle.attribution import Conversion
    from tests.oracle.identity import Person, Withdrawn
    from tests.oracle.settings import TenantRules

# The comparison shares its machine with the pipeline that it judges.
_MEMORY, _THREADS = "3GB", 2


class Answer:
    """The computation over record files, in the order in which they were produced. A context manager; uses a
    temporary folder.

    `connection` has the tables messages, accepted, campaign_metrics, campaign_rollups, campaigns, journeys. Times are
    UTC ms.
    """

    def __init__(self, *files: Path | str) -> None:
        """Compute. Raises RecordFileError for files that cannot be judged, duckdb.Error for files that cannot be
        read.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="oracle-")
        settings: dict[str, str | bool | int | float | list[str]] = {"memory_limit": _MEMORY, "threads": _THREADS}
        self.connection = duckdb.connect(str(Path(self._folder.name) / "oracle.duckdb"), config=settings)
        try:
            self.connection.execute("SET enable_progress_bar = false")
            messages.load(self.connection, [Path(file) for file in files])
            campaign_sums.add_windows(self.connection)
            campaign_sums.add_rollups(self.connection)
            campaign_sums.add_campaigns(self.connection)
            journeys.add_journeys(self.connection)
        except BaseException:
            self.close()
            raise

    def counts(self) -> dict[tuple[str, str, str], int]:
        """Messages by (tenant, outcome, reasons): outcome valid, accepted or quarantined, reasons sorted with commas
        between.
        """
        rows = self.connection.execute(
            """
            SELECT tenant_id, CASE WHEN len(reasons) = 0 THEN 'valid' ELSE 'quarantined' END,
                   array_to_string(reasons, ','), count(*) FROM messages GROUP BY ALL
            UNION ALL SELECT tenant_id, 'accepted', '', count(*) FROM accepted GROUP BY ALL
            """
        ).fetchall()
        return {(tenant_id, outcome, reasons): number for tenant_id, outcome, reasons, number in rows}

    def conversions(
        self,
        *,
        identity: bool = False,
        withdrawn: Collection[Withdrawn] = (),
        settings: Mapping[str, TenantRules] | None = None,
    ) -> Iterator[Conversion]:
        """Every accepted conversion with what it looks back on; with `identity` over all customers of its person.

        `withdrawn` are the links that commands took out, `settings` are tenants' own attribution settings
        (`tests/oracle/settings.py`).
        """
        return attribution.conversions(self.connection, identity=identity, withdrawn=withdrawn, settings=settings)

    def persons(self, withdrawn: Collection[Withdrawn] = ()) -> dict[tuple[str, str], Person]:
        """The person of each customer who is one with others, by (tenant, customer)."""
        return identity.persons(self.connection, withdrawn)

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """The rows of a query over the tables."""
        found: list[tuple[object, ...]] = self.connection.execute(sql, parameters).fetchall()
        return found

    def close(self) -> None:
        """Delete everything."""
        with closing(self.connection):
            pass
        self._folder.cleanup()

    def __enter__(self) -> Self:
        """Return the answer itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Delete everything."""
        self.close()
