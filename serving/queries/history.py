"""The history: ClickHouse, asked with bound parameters, time limits, bounded retries and a circuit breaker."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import TYPE_CHECKING, Any

import grpc
from clickhouse_connect.driver import create_async_client
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from connectors.clickhouse.client import error_code, is_transient
from serving.errors import Reason, ServingError
from serving.observability.tracing import store_span, trace_headers
from serving.queries.circuit_breaker import CircuitBreaker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clickhouse_connect.driver.asyncclient import AsyncClient

    from connectors.clickhouse.client import ClickHouseAddress
    from serving.metrics import ServingMetrics

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_SECONDS = 2.0
ATTEMPTS = 3
# A query that was given at least this share of the configured time-out and did not end counts as a fault of the store.
TELLING_SHARE = 0.5
# A page holds at most 10,000 rows; an aggregate that returns more than this is a mistake in the query.
MAX_RESULT_ROWS = 100_000
MAX_MEMORY_BYTES = 2 * 1024**3
TOO_MANY_ROWS_CODES = frozenset({158, 396})  # TOO_MANY_ROWS, TOO_MANY_ROWS_OR_BYTES
TIMEOUT_CODE = 159
# Unknown table and database, and refused log-ins: the store is not set up yet, which is no fault of the query.
NOT_SET_UP_CODES = frozenset({60, 81, 192, 193, 194, 497, 516})

SETTINGS: dict[str, Any] = {
    # A key's rows are all in one partition (it is derived from the key's time), so partitions can be merged apart
    # from each other.
    "do_not_merge_across_partitions_select_final": 1,
    "max_result_rows": MAX_RESULT_ROWS,
    "result_overflow_mode": "throw",
    "max_memory_usage": MAX_MEMORY_BYTES,
    # A caller that hangs up stops its query.
    "cancel_http_readonly_queries_on_client_close": 1,
}


class HistoryUnavailable(Exception):  # noqa: N818 - a state that callers answer to, not an error of theirs
    """ClickHouse gave no answer; `retry_after_seconds` says when to ask again."""

    def __init__(self, why: str, retry_after_seconds: float) -> None:
        """`why` is for the log; it holds no SQL and no data."""
        super().__init__(why)
        self.retry_after_seconds = retry_after_seconds


class _TransientError(Exception):
    """A fault that may pass; carries its kind."""


def too_large() -> ServingError:
    """Return the error for an answer that is larger than an answer may be."""
    return ServingError(
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        Reason.ANSWER_TOO_LARGE,
        "the answer is too large: ask for a smaller range or selection",
    )


class History:
    """Reads of one ClickHouse database. `rows` may be called from many tasks; `close` at the end."""

    def __init__(
        self, address: ClickHouseAddress, metrics: ServingMetrics, *, connections: int, timeout_seconds: float
    ) -> None:
        """Keep the address; the first query connects."""
        self._address = address
        self._metrics = metrics
        self._timeout = timeout_seconds
        self._connections = connections
        self._slots = asyncio.Semaphore(connections)
        self._client: AsyncClient | None = None
        self._connecting = asyncio.Lock()
        self._reading: set[asyncio.Task[Any]] = set()
        self.breaker = CircuitBreaker()

    async def rows(
        self, sql: str, parameters: Mapping[str, Any], *, name: str, seconds: float = math.inf, trivial: bool = False
    ) -> Sequence[Sequence[Any]]:
        """Return the rows of a query; `name` stands for it in metrics and log.

        Takes at most `seconds`, or the configured time-out. A query that is `trivial` is answered at once by a healthy
        store: that it took too long counts as a fault, however short the time was.

        Raises:
            HistoryUnavailable: no answer in that time, or the circuit is open.
            ServingError: the answer is larger than an answer may be.
        """
        limit = min(self._timeout, seconds)
        began = time.monotonic()
        outcome = "failed"
        reader = asyncio.current_task()
        if reader is not None:
            self._reading.add(reader)
        try:
            with store_span("clickhouse", name):
                async with asyncio.timeout(limit):
                    rows = await self._with_retries(sql, parameters, began + limit)
            outcome = "answered"
        except TimeoutError:
            outcome = "timed_out"
            # A caller with a short deadline says nothing about the store.
            if trivial or limit >= self._timeout * TELLING_SHARE:
                self.breaker.failed()
            why = f"{name} took longer than {limit:.1f} s"
            raise HistoryUnavailable(why, self._retry_after()) from None
        except _TransientError as error:
            raise HistoryUnavailable(f"{name}: {error}", self._retry_after()) from None
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            if reader is not None:
                self._reading.discard(reader)
            self._metrics.store_seconds.labels("history", name, outcome).observe(time.monotonic() - began)
        return rows

    async def answers(self, seconds: float) -> bool:
        """Tell whether ClickHouse answers at all within some seconds."""
        try:
            await self.rows("SELECT 1", {}, name="probe", seconds=seconds, trivial=True)
        except HistoryUnavailable:
            return False
        return True

    async def close(self) -> None:
        """Cancel what still reads, which may be for later callers only, and close the connections.

        The client would wait for its answers otherwise: for the whole time-out when the store hangs.
        """
        readers = list(self._reading)
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _retry_after(self) -> float:
        return max(0.5, self.breaker.retry_after_seconds)

    async def _with_retries(self, sql: str, parameters: Mapping[str, Any], until: float) -> Sequence[Sequence[Any]]:
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(_TransientError),
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_random_exponential(multiplier=0.05, max=1.0),
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                return await self._once(sql, parameters, until)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _once(self, sql: str, parameters: Mapping[str, Any], until: float) -> Sequence[Sequence[Any]]:
        async with self._slots:
            if not self.breaker.allows():
                raise HistoryUnavailable("the circuit is open", self._retry_after())
            try:
                client = await self._connected()
                settings = SETTINGS | {"max_execution_time": max(1, math.ceil(until - time.monotonic()))}
                result = await client.query(
                    sql, parameters=dict(parameters), settings=settings, transport_settings=trace_headers()
                )
            except Exception as error:  # noqa: BLE001 - a garbled answer may raise anything
                raise self._judged(error) from None
            except BaseException:
                self.breaker.abandoned()
                raise
            self.breaker.succeeded()
            return result.result_rows

    def _judged(self, error: Exception) -> Exception:
        """Tell faults of the store, which count against it, from faults of the query. Returns what to raise."""
        code = error_code(error)
        if code in TOO_MANY_ROWS_CODES:
            self.breaker.succeeded()
            return too_large()
        # The message may hold the query and its values: only the kind is kept.
        kind = f"{type(error).__name__}, code {code}"
        if code == TIMEOUT_CODE:
            # The server kept to a limit that comes from the call's deadline: this tells nothing about its health.
            self.breaker.abandoned()
            return HistoryUnavailable(kind, self._retry_after())
        if code is None or code in NOT_SET_UP_CODES or is_transient(error):
            self.breaker.failed()
            return _TransientError(kind)
        self.breaker.succeeded()
        return RuntimeError(f"ClickHouse refused a query: {kind}")

    async def _connected(self) -> AsyncClient:
        async with self._connecting:
            if self._client is None:
                self._client = await create_async_client(
                    host=self._address.host,
                    port=self._address.port,
                    username=self._address.username,
                    password=self._address.password,
                    secure=self._address.secure,
                    database=self._address.database,
                    connect_timeout=CONNECT_TIMEOUT_SECONDS,
                    send_receive_timeout=self._timeout,
                    connector_limit=self._connections,
                    connector_limit_per_host=self._connections,
                    compress=False,  # links inside a data centre are faster than the compressor
                    autogenerate_session_id=False,
                    query_retries=0,  # retries are ours, so that they end at the call's deadline
                )
            return self._client
