"""Enough of ClickHouse's lexer to tell the kind of a statement, and where the data of an INSERT begins.

The engine parses every statement itself; nothing here changes a statement's text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto
from itertools import chain, islice
from typing import TYPE_CHECKING, NamedTuple

from local.clickhouse.errors import ClickHouseError, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    rb"""
    (?P<blank> \s+ | --[^\n]* | \#[ !][^\n]* | /\*.*?\*/ )
  | (?P<string> '(?:[^'\\]|\\.|'')*' | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ )
  | (?P<quoted> `(?:[^`\\]|\\.|``)*` | "(?:[^"\\]|\\.|"")*" )
  | (?P<word> [A-Za-z_][A-Za-z0-9_$]* )
  | (?P<number> [0-9][A-Za-z0-9_.]* )
  | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)
# These begin a literal or a comment whose end was not found: the text was cut, or is not SQL.
_UNFINISHED = re.compile(rb"['`\"$]|/\*")
_SELECT_WORDS = {b"SELECT", b"WITH", b"FROM"}
_ROW_WORDS = {b"SHOW", b"DESCRIBE", b"DESC", b"EXISTS", b"EXPLAIN", b"CHECK"}
_SETTING_WORDS = {b"SET", b"USE"}
_KILL_MODES = {b"ASYNC", b"SYNC", b"TEST"}
# Creating one of these makes chDB leave a directory that no process can open again (seen with 4.4.0).
_REFUSED_ENGINES = {b"KAFKA"}


class Kind(Enum):
    """What the front has to do with a statement."""

    SELECT = auto()
    """Gives rows, and may be streamed."""
    ROWS = auto()
    """Gives rows, all at once: SHOW, DESCRIBE, EXISTS, EXPLAIN, CHECK."""
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
        """The bare word in upper case, else nothing."""
        return self.text.upper() if self.kind == "word" else b""

    @property
    def name(self) -> bytes:
        """The identifier in upper case, bare or quoted, else nothing."""
        return self.text[1:-1].upper() if self.kind == "quoted" else self.word


_NOTHING = Token("", b"", 0)
# Enough for every decision about the beginning of a statement; the longest is about KILL QUERY.
_START_TOKENS = 8


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement."""

    kind: Kind
    text: bytes
    """As it came; if data follows, only what stands before SETTINGS and FORMAT."""
    clauses: bytes = b""
    """If data follows: SETTINGS and FORMAT."""
    format: str | None = None
    """What its FORMAT clause names."""
    first: bytes = b""
    """Its first word in upper case."""
    temporary: bool = False
    """It makes a temporary table."""
    kill: tuple[str, str] | None = None
    """The query id and the mode of KILL QUERY WHERE query_id = '…'."""

    @property
    def sets(self) -> bool:
        """Whether it sets settings or the current database, which only its session sees."""
        return self.first in _SETTING_WORDS

    @property
    def leaves_state(self) -> bool:
        """Whether it leaves something in its session."""
        return self.sets or self.temporary

    @property
    def changes(self) -> bool:
        """Whether it may change what others see."""
        return self.kind in {Kind.INSERT_DATA, Kind.COMMAND} and not self.leaves_state


def tokens(sql: bytes) -> Iterator[Token]:
    """Yield the tokens of `sql` without blanks and comments; stops before a literal or comment that has no end."""
    for found in _TOKEN.finditer(sql):
        kind = "string" if found.lastgroup == "tag" else str(found.lastgroup)
        if kind == "blank":
            continue
        text = found.group()
        if kind == "other" and _UNFINISHED.match(sql, found.start()):
            return
        yield Token(kind, text, found.end())


def first_word(sql: bytes) -> bytes:
    """Return the first word in upper case; opening brackets before it are skipped."""
    return next((token.word for token in tokens(sql) if token.text != b"("), b"")


def split_insert(head: bytes, *, whole: bool) -> tuple[Statement | None, int]:
    """Find the end of `INSERT … FORMAT name` in `head`, which starts with INSERT; return the data's start with it.

    Gives None when `head` has no such clause so far. `whole` says that nothing follows `head`.
    """
    before = b""
    depth = 0
    clauses_start = None
    for token in tokens(head):
        if before == b"FORMAT" and clauses_start is not None:
            if token.kind != "word" or (token.end == len(head) and not whole):
                break
            clauses = head[clauses_start : token.end]
            statement = Statement(Kind.INSERT_DATA, head[:clauses_start], clauses, token.text.decode(), b"INSERT")
            return statement, _after_line_end(head, token.end)
        if token.text in {b"(", b")"}:
            depth += 1 if token.text == b"(" else -1
        # After these words comes a name, which may be spelled like a keyword.
        elif depth == 0 and before not in {b"INTO", b"TABLE", b"FUNCTION", b"."}:
            if token.word in {b"SETTINGS", b"FORMAT"} and clauses_start is None:
                clauses_start = token.end - len(token.text)
            elif token.word in {b"SELECT", b"WITH", b"VALUES", b"INFILE", b"WATCH"}:
                break
        before = token.word or token.text
    return None, 0


def _after_line_end(head: bytes, start: int) -> int:
    """Skip what the server skips between the format's name and the data: blanks, and one line end."""
    found = re.compile(rb"[ \t\f]*(?:\r?\n)?").match(head, start)
    return found.end() if found else start


def read_statement(sql: bytes) -> Statement:
    """Classify a whole statement that carries no data.

    Raises:
        ClickHouseError: no statement, several in one, or one that this front refuses.
    """
    start = list(islice(tokens(sql), _START_TOKENS))
    if not start:
        raise ClickHouseError.of(ErrorCode.SYNTAX_ERROR, "Syntax error: Empty query")
    words = [token.word for token in start if token.text != b"("][:4]
    first = words[0] if words else b""
    kind = Kind.SELECT if first in _SELECT_WORDS else Kind.ROWS if first in _ROW_WORDS else Kind.COMMAND
    temporary = words[:2] == [b"CREATE", b"TEMPORARY"] or words == [b"CREATE", b"OR", b"REPLACE", b"TEMPORARY"]
    return Statement(kind, sql, b"", _read_to_the_end(sql, first), first, temporary, _kill(start))


def _read_to_the_end(sql: bytes, first: bytes) -> str | None:
    """Return the format of the last FORMAT clause outside brackets; refuse what this front does not run."""
    depth = 0
    name = None
    for here, following, third in _windows(sql):
        if here.text in {b"(", b")"}:
            depth += 1 if here.text == b"(" else -1
        elif depth == 0 and here.word == b"FORMAT" and following.kind == "word":
            name = following.text.decode()
        elif here.text == b";" and following.text not in {b"", b";"}:
            raise ClickHouseError.of(ErrorCode.SYNTAX_ERROR, "Syntax error (Multi-statements are not allowed)")
        elif (here.word, following.word) in {(b"INTO", b"OUTFILE"), (b"FROM", b"INFILE")}:
            reason = f"{here.word.decode()} {following.word.decode()} is not allowed over HTTP"
            raise ClickHouseError.of(ErrorCode.NOT_IMPLEMENTED, reason)
        elif first == b"INSERT" and here.word == b"INPUT" and following.text == b"(":
            reason = "INSERT … SELECT … FROM input() is not supported by this front; use INSERT … FORMAT"
            raise ClickHouseError.of(ErrorCode.NOT_IMPLEMENTED, reason)
        elif here.word == b"ENGINE" and (third if following.text == b"=" else following).name in _REFUSED_ENGINES:
            reason = "Table engine Kafka is refused: it damages the directory of this embedded engine"
            raise ClickHouseError.of(ErrorCode.SUPPORT_IS_DISABLED, reason)
    return name


def _windows(sql: bytes) -> Iterator[tuple[Token, Token, Token]]:
    """Yield each token with the two that follow it; beyond the end there are empty ones. Rows of VALUES may be many."""
    here, following = _NOTHING, _NOTHING
    for third in chain(tokens(sql), (_NOTHING, _NOTHING)):
        if here.text:
            yield here, following, third
        here, following = following, third


def _kill(start: list[Token]) -> tuple[str, str] | None:
    """Return the query id and the mode of `KILL QUERY WHERE query_id = '…' [ASYNC|SYNC|TEST]`."""
    words = [token.word or token.text for token in start]
    if words[:5] != [b"KILL", b"QUERY", b"WHERE", b"QUERY_ID", b"="] or len(start) < 6 or start[5].kind != "string":
        return None
    mode = words[6] if len(words) > 6 else b"ASYNC"
    if mode not in _KILL_MODES and mode not in {b"FORMAT", b";"}:
        return None
    return _literal(start[5].text), mode.decode() if mode in _KILL_MODES else "ASYNC"


def _literal(text: bytes) -> str:
    """Return the value of a string literal; of the escapes only those that stand for themselves are read."""
    inner = re.sub(rb"\\(.)|'(')", rb"\1\2", text[1:-1], flags=re.DOTALL)
    return inner.decode("utf-8", errors="replace")
