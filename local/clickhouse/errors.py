"""ClickHouse errors: their codes, and the HTTP status that the server gives to each."""

from __future__ import annotations

import re
from enum import IntEnum
from http import HTTPStatus


class ErrorCode(IntEnum):
    """The codes that the front raises by itself; the engine's own codes pass through as numbers."""

    BAD_ARGUMENTS = 36
    NOT_IMPLEMENTED = 48
    SYNTAX_ERROR = 62
    UNKNOWN_COMPRESSION_METHOD = 89
    UNKNOWN_SETTING = 115
    READONLY = 164
    TOO_MANY_SIMULTANEOUS_QUERIES = 202
    NETWORK_ERROR = 210
    QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING = 216
    QUERY_IS_TOO_LARGE = 229
    NOT_ENOUGH_SPACE = 243
    CANNOT_DECOMPRESS = 271
    SUPPORT_IS_DISABLED = 344
    SESSION_IS_LOCKED = 373
    INVALID_SESSION_TIMEOUT = 374
    AUTHENTICATION_FAILED = 516
    STD_EXCEPTION = 1001


# The server's table from error code to status. Every code that is not named is an internal server error (500).
_CODES_BY_STATUS = {
    HTTPStatus.BAD_REQUEST: {
        6,
        8,
        15,
        25,
        26,
        27,
        36,
        37,
        38,
        41,
        44,
        53,
        62,
        72,
        117,
        123,
        167,
        168,
        223,
        321,
        376,
        427,
        441,
        675,
        676,
    },
    HTTPStatus.UNAUTHORIZED: {194},
    HTTPStatus.FORBIDDEN: {192, 193, 497, 512, 516},
    HTTPStatus.NOT_FOUND: {46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 152, 336, 511},
    HTTPStatus.REQUEST_TIMEOUT: {159},
    HTTPStatus.LENGTH_REQUIRED: {381},
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: {229},
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: {779},
    HTTPStatus.NOT_IMPLEMENTED: {48},
    HTTPStatus.SERVICE_UNAVAILABLE: {76, 209, 439},
}
_STATUS = {code: status for status, codes in _CODES_BY_STATUS.items() for code in codes}
_CODE_IN_TEXT = re.compile(r"Code: (\d+)\. DB::")


class ClickHouseError(Exception):
    """A failure as ClickHouse reports it: `code`, and the text that goes to the client."""

    def __init__(self, code: int, text: str) -> None:
        """Take the code and the whole text (`Code: N. DB::Exception: …`)."""
        super().__init__(text)
        self.code = code
        self.text = text

    @classmethod
    def of(cls, code: ErrorCode, reason: str) -> ClickHouseError:
        """Make an error of the front's own."""
        return cls(code, f"Code: {code.value}. DB::Exception: {reason} ({code.name})")

    @classmethod
    def from_engine(cls, error: BaseException) -> ClickHouseError:
        """Read the code out of an error of chDB, which gives text only."""
        text = str(error)
        found = _CODE_IN_TEXT.search(text)
        if found is None:
            return cls.of(ErrorCode.STD_EXCEPTION, text or type(error).__name__)
        # chDB's own words, such as "Streaming query failed:", come before the engine's message.
        return cls(int(found.group(1)), text[found.start() :])

    @property
    def status(self) -> HTTPStatus:
        """The HTTP status that the server answers with for this code."""
        return _STATUS.get(self.code, HTTPStatus.INTERNAL_SERVER_ERROR)
