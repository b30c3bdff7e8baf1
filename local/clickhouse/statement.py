"""Just enough of ClickHouse's lexer to tell what kind of statement a request carries and where the data of an INSERT begins.

The engine parses every statement itself; nothing here changes a statement's text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

from local.clickhouse.errors import ClickHouseError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    rb"""
    (?P<blank> \s+ | --[^\n]* | \#[ !][^\n]* | /\*.*?\*/ )
  | (?P<string> '(?:[^'\\]|\\.|'')*' | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
  | (?P<quoted> `(?:[^`\\]|\\.|``)*` | "(?:[^"\\]|\\.|"")*" )
  | (?P<word> [A-Za-z_][A-Za-z0-9_]* )
  | (?P<number> [0-9][A-Za-z0-9_.]* )
  | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)
# These begin a token whose end was not found: the text was cut, or is not SQL.
_UNFINISHED = {b"'", b"`", b'"'}
_ROW_STATEMENTS = {
    b"SELECT",
    b"WITH",
    b"FROM",
    b"SHOW",
    b"DESCRIBE",
    b"DESC",
    b"EXISTS",
    b"EXPLAIN",
    b"CHECK",
    b"VALUES",
}
# A table of one of these engines starts a consumer inside the engine. With Kafka chDB leaves a directory that no process can open again.
_REFUSED_ENGINES = {b"KAFKA"}


class Kind(Enum):
    """What the front has to do with a statement."""

    SELECT = auto()
    """Gives rows, and may be streamed."""
    ROWS = auto()
    """Gives rows, all at once: SHOW, DESCRIBE, EXISTS, EXPLAIN."""
    INSERT_DATA = auto()
    """INSERT … FORMAT: the data follows the statement."""
    COMMAND = auto()
    """Everything else."""


class Token(NamedTuple):
    """One token that is not blank: its class (a group name of the lexer), its bytes, and where they end."""

    kind: str
    text: bytes
    end: int

    @property
    def word(self) -> bytes:
        """The bare word in upper case, or nothing."""
        return self.text.upper() if self.kind == "word" else b""

    @property
    def name(self) -> bytes:
        """The identifier in upper case, bare or quoted, or nothing."""
        if self.kind == "quoted":
            return self.text[1:-1].upper()
        return self.word


@dataclass(frozen=True, slots=True)
class Statement:
    """A whole statement: its kind, the format its FORMAT clause names, and the statement without that clause if it is an INSERT with data."""

    kind: Kind
    text: bytes
    format: str | None = None
    data_start: int = 0
    kill_query_id: str | None = None


def tokens(sql: bytes) -> Iterator[Token]:
    """Yield the tokens of `sql`, blanks and comments left out; stops before a literal that has no end."""
    for found in _TOKEN.finditer(sql):
        kind = found.lastgroup if found.lastgroup != "tag" else "string"
        if kind == "blank" or kind is None:
            continue
        text = found.group()
        if kind == "other" and text in _UNFINISHED:
            return
        yield Token(kind, text, found.end())


def first_word(sql: bytes) -> bytes:
    """Return the first word in upper case; opening brackets before it are skipped."""
    for token in tokens(sql):
        if token.text != b"(":
            return token.word
    return b""


def split_insert(head: bytes, *, whole: bool) -> Statement | None:
    """Find where the data of an `INSERT … FORMAT name` begins; `head` starts with INSERT.

    Returns None when `head` has no such clause so far. `whole` says that nothing follows `head`.
    """
    before = b""
    depth = 0
    format_end = None
    statement_end = 0
    for token in tokens(head):
        if format_end is not None:
            if token.kind != "word" or (token.end == len(head) and not whole):
                return None
            return Statement(
                Kind.INSERT_DATA, head[:statement_end], token.text.decode(), _skip_line_end(head, token.end)
            )
        if token.text == b"(":
            depth += 1
        elif token.text == b")":
            depth -= 1
        elif depth == 0 and before not in {b"INTO", b"TABLE", b"FUNCTION", b"."}:
            if token.word == b"FORMAT":
                format_end, statement_end = token.end, token.end - len(token.text)
            elif token.word in {b"SELECT", b"WITH", b"VALUES", b"INFILE", b"WATCH"}:
                return None
        before = token.word or token.text
    return None


def _skip_line_end(head: bytes, start: int) -> int:
    """Skip what the server skips between the format's name and the data: blanks, and one line end."""
    while head[start : start + 1] in {b" ", b"\t", b"\f"}:
        start += 1
    if head[start : start + 2] == b"\r\n":
        return start + 2
    if head[start : start + 1] == b"\n":
        return start + 1
    return start


def read_statement(sql: bytes) -> Statement:
    """Classify a whole statement that carries no data.

    Raises:
        ClickHouseError: several statements in one, or one that this front refuses.
    """
    found = list(tokens(sql))
    if not found:
        raise ClickHouseError.of(ErrorCode.SYNTAX_ERROR, "Syntax error: empty query")
    _refuse(found)
    word = next((token.word for token in found if token.text != b"("), b"")
    kind = Kind.COMMAND
    if word in {b"SELECT", b"WITH", b"FROM"}:
        kind = Kind.SELECT
    elif word in _ROW_STATEMENTS:
        kind = Kind.ROWS
    return Statement(kind, sql, _format_clause(found), len(sql), _kill_query_id(found))


def _format_clause(found: list[Token]) -> str | None:
    """Return the format of the last FORMAT clause outside brackets."""
    depth = 0
    name = None
    for here, following in zip(found, found[1:], strict=False):
        if here.text == b"(":
            depth += 1
        elif here.text == b")":
            depth -= 1
        elif depth == 0 and here.word == b"FORMAT" and following.kind == "word":
            name = following.text.decode()
    return name


def _kill_query_id(found: list[Token]) -> str | None:
    """Return the id that `KILL QUERY WHERE query_id = '…'` names."""
    words = [token.word or token.text for token in found[:5]]
    if words != [b"KILL", b"QUERY", b"WHERE", b"QUERY_ID", b"="] or len(found) < 6 or found[5].kind != "string":
        return None
    return found[5].text[1:-1].decode("utf-8", errors="replace")


def _refuse(found: list[Token]) -> None:
    """Refuse several statements at once, files of the server's machine, and table engines that chDB cannot run."""
    for index, token in enumerate(found):
        following = found[index + 1 : index + 3]
        if token.text == b";" and following and following[0].text != b";":
            raise ClickHouseError.of(ErrorCode.SYNTAX_ERROR, "Syntax error (Multi-statements are not allowed)")
        after = following[0].word if following else b""
        if (token.word, after) in {(b"INTO", b"OUTFILE"), (b"FROM", b"INFILE")}:
            raise ClickHouseError.of(
                ErrorCode.NOT_IMPLEMENTED, f"{token.word.decode()} {after.decode()} is not allowed over HTTP"
            )
        if token.word == b"ENGINE":
            name = next((item.name for item in following if item.text != b"="), b"")
            if name in _REFUSED_ENGINES:
                raise ClickHouseError.of(
                    ErrorCode.SUPPORT_IS_DISABLED,
                    f"Table engine {name.decode().title()} is refused: in this embedded engine it damages the data directory",
                )
