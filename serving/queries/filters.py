"""Filters as text: `campaign = "c1" AND channel != "email"`, read against a list of allowed names.

The language is a part of AIP-160: comparisons of a name with a value, joined by AND, OR, NOT (or a minus sign) and
parentheses. OR binds closer than AND, as AIP-160 says. What is read becomes a predicate whose values are bound
parameters: no text of a filter ever becomes part of a statement.
"""

from __future__ import annotations

import math
import operator
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from serving.errors import ServingError, invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# A filter is made by a person or by clicks on a chart; these bounds keep its predicate small.
LONGEST_FILTER = 2_000
MOST_COMPARISONS = 50
DEEPEST = 20
LARGEST_WHOLE = 2**63 - 1

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\["\\])*"|'(?:[^'\\]|\\['\\])*')|(?P<operator><=|>=|!=|=|<|>)|(?P<bracket>[()])"""
    r"""|(?P<word>-?[A-Za-z0-9_][A-Za-z0-9_.:-]*)|(?P<minus>-))"""
)
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_ESCAPED = re.compile(r"\\(.)")
_JOINS = ("AND", "OR", "NOT")
_EQUALITY: dict[str, Callable[[Any, Any], bool]] = {"=": operator.eq, "!=": operator.ne}
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Kind(StrEnum):
    """What the values of a name are; the value is their type in ClickHouse."""

    TEXT = "String"
    WHOLE = "Int64"
    DECIMAL = "Float64"


@dataclass(frozen=True, slots=True)
class Name:
    """A name that a filter may use: the SQL of its column, the kind of its values, the words allowed (empty: any)."""

    sql: str
    kind: Kind = Kind.TEXT
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """A name compared with a value."""

    name: str
    allowed: Name
    operator: str
    value: str | int | float

    def sql(self, parameters: dict[str, Any]) -> str:
        """Return the predicate; binds the value."""
        parameter = f"filter{len(parameters)}"
        parameters[parameter] = self.value
        return f"{self.allowed.sql} {self.operator} {{{parameter}:{self.allowed.kind}}}"

    def matches(self, values: Mapping[str, Any]) -> bool:
        """Tell whether the values by name fulfil it."""
        return (_EQUALITY | _ORDER)[self.operator](values[self.name], self.value)


@dataclass(frozen=True, slots=True)
class Joined:
    """Conditions of which all (`AND`), any (`OR`) or the only one not (`NOT`) must hold."""

    join: str
    parts: tuple[Condition, ...]

    def sql(self, parameters: dict[str, Any]) -> str:
        """Return the predicate in parentheses; binds the values."""
        parts = [part.sql(parameters) for part in self.parts]
        return f"(NOT {parts[0]})" if self.join == "NOT" else f"({f' {self.join} '.join(parts)})"

    def matches(self, values: Mapping[str, Any]) -> bool:
        """Tell whether the values by name fulfil it."""
        held = (part.matches(values) for part in self.parts)
        return not next(held) if self.join == "NOT" else all(held) if self.join == "AND" else any(held)


Condition = Comparison | Joined


def read_filter(text: str, names: Mapping[str, Name], field: str = "filter") -> Condition | None:
    """Return the condition of a filter, None when it is empty.

    Raises:
        ServingError: naming `field`, and the first thing in it that is not allowed.
    """
    if len(text) > LONGEST_FILTER:
        raise invalid(field, f"must not have more than {LONGEST_FILTER} characters")
    if not text.strip():
        return None
    return _Reader(text, names, field).read()


class _Reader:
    """Reads one filter, token by token."""

    def __init__(self, text: str, names: Mapping[str, Name], field: str) -> None:
        self._text = text
        self._names = names
        self._field = field
        self._at = 0
        self._comparisons = 0
        self._kind, self._token = self._next()

    def read(self) -> Condition:
        condition = self._all(0)
        if self._kind != "end":
            raise self._refusal("AND, OR or the end")
        return condition

    def _next(self) -> tuple[str, str]:
        found = _TOKEN.match(self._text, self._at)
        if found is None:
            if self._text[self._at :].strip():
                raise invalid(self._field, f"cannot be read from character {self._at + 1} on")
            return "end", ""
        self._at = found.end()
        return str(found.lastgroup), found[str(found.lastgroup)]

    def _advance(self) -> str:
        token = self._token
        self._kind, self._token = self._next()
        return token

    def _refusal(self, wanted: str) -> ServingError:
        return invalid(self._field, f"expected {wanted} before character {self._at + 1}")

    def _is(self, word: str) -> bool:
        return self._kind == "word" and self._token == word

    def _all(self, depth: int) -> Condition:
        parts = [self._any(depth)]
        while self._is("AND"):
            self._advance()
            parts.append(self._any(depth))
        return parts[0] if len(parts) == 1 else Joined("AND", tuple(parts))

    def _any(self, depth: int) -> Condition:
        parts = [self._one(depth)]
        while self._is("OR"):
            self._advance()
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else Joined("OR", tuple(parts))

    def _one(self, depth: int) -> Condition:
        if depth > DEEPEST:
            raise invalid(self._field, f"must not be nested more than {DEEPEST} deep")
        if self._is("NOT") or self._kind == "minus":
            self._advance()
            return Joined("NOT", (self._one(depth + 1),))
        if (self._kind, self._token) == ("bracket", "("):
            self._advance()
            inner = self._all(depth + 1)
            if (self._kind, self._token) != ("bracket", ")"):
                raise self._refusal("a closing parenthesis")
            self._advance()
            return inner
        return self._comparison()

    def _comparison(self) -> Condition:
        negated = self._kind == "word" and self._token.startswith("-")
        name = self._token.removeprefix("-")
        allowed = self._names.get(name) if self._kind == "word" else None
        if allowed is None:
            raise self._refusal(f"one of the names {', '.join(self._names)}")
        self._advance()
        operators = _EQUALITY if allowed.kind is Kind.TEXT else _EQUALITY | _ORDER
        if self._kind != "operator" or self._token not in operators:
            raise self._refusal(f"one of the operators {' '.join(operators)} behind {name}")
        compared = self._advance()
        self._comparisons += 1
        if self._comparisons > MOST_COMPARISONS:
            raise invalid(self._field, f"must not have more than {MOST_COMPARISONS} comparisons")
        comparison = Comparison(name, allowed, compared, self._value(name, allowed))
        return Joined("NOT", (comparison,)) if negated else comparison

    def _value(self, name: str, allowed: Name) -> str | int | float:
        if self._kind == "text":
            text = _ESCAPED.sub(r"\1", self._token[1:-1])
        elif self._kind == "word" and self._token not in _JOINS:
            text = self._token
        else:
            raise self._refusal(f"a value for {name}")
        if allowed.kind is not Kind.TEXT:
            return self._number(text, name, allowed)
        if "\0" in text:
            raise invalid(self._field, f"the value of {name} must not hold a NUL character")
        if allowed.words and text not in allowed.words:
            raise self._refusal(f"one of {', '.join(allowed.words)} for {name}")
        self._advance()
        return text

    def _number(self, text: str, name: str, allowed: Name) -> int | float:
        whole = allowed.kind is Kind.WHOLE
        if not _NUMBER.fullmatch(text) or (whole and "." in text):
            raise self._refusal(f"a {'whole ' if whole else ''}number for {name}")
        self._advance()
        if whole:
            if len(text) > len(str(LARGEST_WHOLE)) + 1 or abs(int(text)) > LARGEST_WHOLE:
                raise invalid(self._field, f"the value of {name} must have less than 64 bits")
            return int(text)
        if not math.isfinite(float(text)):
            raise invalid(self._field, f"the value of {name} is too large")
        return float(text)
