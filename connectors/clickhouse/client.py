"""A ClickHouse client with time-outs, and the rule for what is tried again."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

if TYPE_CHECKING:
    from collections.abc import Callable

    from clickhouse_connect.driver.client import Client
    from tenacity import RetryCallState

T = TypeVar("T")
log = logging.getLogger(__name__)

CONNECT_TIMEOUT_SECONDS = 5
# One insert of a batch takes well below a second; a server that says nothing for this long is treated as down.
SEND_RECEIVE_TIMEOUT_SECONDS = 30
# After this the operator fails and Flink restarts it from the checkpoint with its own back-off: a job that waits for
# ever hides
# the fault from the operator's view.
RETRY_FOR_SECONDS = 60.0
MAX_WAIT_SECONDS = 5.0
# Server errors that pass by themselves. 3 and 999 are unexpected end and Keeper faults, 159 and 160 time-outs, 202
# too many queries, 209 and 210 socket faults, 241 memory limit, 242 read-only replica, 243 no space on the disk, 252
# too many parts, 319 unknown insert status.
TRANSIENT_CODES = frozenset({3, 159, 160, 202, 209, 210, 241, 242, 243, 252, 319, 425, 999})


@dataclass(frozen=True, slots=True)
class ClickHouseAddress:
    """Where ClickHouse listens for HTTP, and as whom to connect.

    Built from `http(s)://[user[:password]@]host:port` by `parse`; the password is left out of `repr`.
    """

    host: str
    port: int
    database: str
    secure: bool = False
    username: str = "default"
    password: str = ""

    def __repr__(self) -> str:
        """Show the address without the password."""
        scheme = "https" if self.secure else "http"
        return f"ClickHouseAddress({scheme}://{self.username}@{self.host}:{self.port}/{self.database})"

    @classmethod
    def parse(cls, url: str, database: str) -> ClickHouseAddress:
        """Read an address from a URL.

        Raises:
            ValueError: the URL is not http(s) with a host.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            msg = "ClickHouse URL must look like http://host:8123 or https://user:password@host:8443"
            raise ValueError(msg)
        secure = parts.scheme == "https"
        return cls(
            host=parts.hostname,
            port=parts.port or (8443 if secure else 8123),
            database=database,
            secure=secure,
            username=unquote(parts.username or "default"),
            password=unquote(parts.password or ""),
        )


def connect(address: ClickHouseAddress, *, database: str | None = None) -> Client:
    """Open a client of `address`.

    Raises a ClickHouseError when the server cannot be reached. Not safe across threads.
    """
    return clickhouse_connect.get_client(
        host=address.host,
        port=address.port,
        username=address.username,
        password=address.password,
        secure=address.secure,
        database=address.database if database is None else database,
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        send_receive_timeout=SEND_RECEIVE_TIMEOUT_SECONDS,
        # Loopback and data-centre links are faster than the compressor, and the parts on disk are compressed anyway.
        compress=False,
        autogenerate_session_id=False,
        query_retries=0,
    )


def error_code(error: BaseException) -> int | None:
    """Return the server's error code, or None for an error that did not come from the server."""
    code = getattr(error, "code", None)
    if isinstance(code, int):
        return code
    text = str(error)
    for marker in ("error code ", "Code: "):
        _, found, rest = text.partition(marker)
        if found:
            digits = rest.split(".")[0].split(")")[0].split(" ")[0].strip(",:;")
            if digits.isdigit():
                return int(digits)
    return None


def is_transient(error: BaseException) -> bool:
    """Tell whether the same call may succeed later: network faults and the server errors in TRANSIENT_CODES."""
    if isinstance(error, DatabaseError):
        code = error_code(error)
        return code is None or code in TRANSIENT_CODES
    return isinstance(error, (ClickHouseError, OSError))


def with_retries(action: Callable[[], T], what: str, *, seconds: float = RETRY_FOR_SECONDS) -> T:
    """Run `action`, trying transient faults again for at most `seconds` with exponential back-off and full jitter.

    The action must be idempotent: a time-out may follow a success. `what` names it in the log. Raises the last error.
    """

    def note(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning(
            "ClickHouse %s failed (%s, code %s), trying again",
            what,
            type(error).__name__,
            error_code(error) if error else None,
        )

    retrying: Any = Retrying(
        retry=retry_if_exception(is_transient),
        stop=stop_after_delay(seconds),
        wait=wait_random_exponential(multiplier=0.1, max=MAX_WAIT_SECONDS),
        before_sleep=note,
        reraise=True,
    )
    result: T = retrying(action)
    return result
