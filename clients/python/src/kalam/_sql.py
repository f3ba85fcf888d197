"""What the client must know of SQL: where its placeholders are, and whether it only reads.

The lexical rules are those of the server: strings with doubled quotes, E'..' with escapes,
dollar quotes, names in double quotes and backticks, comments that nest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .errors import ProgrammingError


class Token(NamedTuple):
    """A piece of a statement: kind is word, text, name, number, comment, blank, $, ? or other."""

    kind: str
    start: int
    end: int


_WORD = r"[A-Za-z_\x80-\U0010ffff]"
_TOKEN = re.compile(
    rf"""
      (?P<blank>[ \t\n\r\f\v]+)
    | (?P<comment>--[^\n\r]*)
    | (?P<nested>/\*)
    | (?P<text>[eE]'(?:[^'\\]+|\\.|'')*'?|'(?:[^']+|'')*'?)
    | (?P<name>"(?:[^"]+|"")*"?|`(?:[^`]+|``)*`?)
    | (?P<word>{_WORD}(?:{_WORD}|[0-9$])*)
    | (?P<number>[0-9](?:[0-9A-Za-z_.])*)
    | (?P<param>\$[0-9]+)
    | (?P<dollar>\$(?:{_WORD}(?:{_WORD}|[0-9])*)?\$)
    | (?P<mark>\?\??)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_STAR = re.compile(r"/\*|\*/")


def tokens(sql: str) -> Iterator[Token]:
    """Cuts a text into tokens, without gaps. What does not end reaches to the end of the text."""
    at = 0
    while at < len(sql):
        found = _TOKEN.match(sql, at)
        assert found is not None and found.lastgroup is not None  # `other` takes anything.
        kind, end = found.lastgroup, found.end()
        if kind == "nested":
            kind, end = "comment", _comment_end(sql, at)
        elif kind == "dollar":
            close = sql.find(found.group(), end)
            kind, end = "text", close + len(found.group()) if close >= 0 else len(sql)
        elif kind == "param":
            kind = "$"
        elif kind == "mark":
            kind = "?"
        yield Token(kind, at, end)
        at = end


def _comment_end(sql: str, start: int) -> int:
    depth = 0
    for found in _STAR.finditer(sql, start):
        depth += 1 if found.group() == "/*" else -1
        if depth == 0:
            return found.end()
    return len(sql)


def to_dollar(sql: str, count: int) -> str:
    """Writes the ``?`` of a statement with ``count`` parameters as ``$1`` to ``$n``.

    ``??`` is the operator ``?``. A statement with ``$1`` is left as it is; one with both is refused.
    """
    out: list[str] = []
    marks = dollars = 0
    for t in tokens(sql):
        text = sql[t.start : t.end]
        if t.kind == "?":
            if text == "?":
                marks += 1
                text = f"${marks}"
            else:
                text = "?"
        elif t.kind == "$":
            dollars += 1
        out.append(text)
    if marks and dollars:
        raise ProgrammingError("a statement has ? and $1; use one of them (the operator ? is written ??)")
    if marks and marks != count:
        raise ProgrammingError(f"the statement has {marks} placeholders but {count} parameters were given")
    return "".join(out)


class Template:
    """A statement with places for literals, cut once and filled often."""

    def __init__(self, sql: str) -> None:
        pieces = list(tokens(sql))
        self._parts: list[str | tuple[int, bool]] = []  # Texts, and numbers with whether the literal stands alone.
        start = 0
        for i, t in enumerate(pieces):
            if t.kind == "$":
                self._parts.append(sql[start : t.start])
                self._parts.append((int(sql[t.start + 1 : t.end]), _stands_alone(sql, pieces, i)))
                start = t.end
        self._parts.append(sql[start:])
        self._numbers = {part[0] for part in self._parts if isinstance(part, tuple)}

    def fill(self, literals: Sequence[str]) -> str:
        """Puts literals in the places of ``$1`` to ``$n``, so that the statement needs no parameters."""
        if self._numbers != set(range(1, len(literals) + 1)):
            names = ", ".join(f"${n}" for n in sorted(self._numbers)) or "no placeholders"
            raise ProgrammingError(f"the statement has {names} but {len(literals)} parameters were given")
        out = []
        for part in self._parts:
            if isinstance(part, str):
                out.append(part)
            elif part[1]:
                out.append(literals[part[0] - 1])
            else:
                out.append(f"({literals[part[0] - 1]})")  # So that no sign or cast takes a part of it.
        return "".join(out)


def _stands_alone(sql: str, pieces: list[Token], i: int) -> bool:
    """Reports whether a piece is a whole element of a list."""
    return _next_to(sql, pieces, i, -1) in ("(", ",") and _next_to(sql, pieces, i, 1) in (")", ",")


def _next_to(sql: str, pieces: list[Token], i: int, step: int) -> str:
    i += step
    while 0 <= i < len(pieces) and pieces[i].kind in ("blank", "comment"):
        i += step
    return sql[pieces[i].start : pieces[i].end] if 0 <= i < len(pieces) else ""


_READS = frozenset(["SELECT", "SHOW", "DESCRIBE", "DESC", "VALUES", "FROM", "SUMMARIZE"])


def words(sql: str) -> list[str]:
    """Returns the first words of a text, in upper case: up to two, up to what is no word."""
    out: list[str] = []
    for t in tokens(sql):
        if t.kind in ("blank", "comment"):
            continue
        if t.kind != "word" or len(out) == 2:
            break
        out.append(sql[t.start : t.end].upper())
    return out


def is_single(sql: str) -> bool:
    """Reports whether a text is one statement at most."""
    ended = False
    for t in tokens(sql):
        if t.kind in ("blank", "comment"):
            continue
        if sql[t.start : t.end] == ";":
            ended = True
        elif ended:
            return False
    return True


def read_only(sql: str) -> bool:
    """Reports whether a text surely does nothing but read, so that it may be sent twice."""
    first = words(sql)[:1]
    return bool(first) and first[0] in _READS and is_single(sql)


def values_clause(sql: str) -> tuple[int, int] | None:
    """Finds the one row of ``INSERT INTO .. VALUES (..)``: the offsets of its brackets.

    The result is None unless the statement ends with that row, so that rows can be put beside it.
    """
    if words(sql)[:1] != ["INSERT"]:
        return None
    depth = 0
    values = False
    start = end = -1
    for t in tokens(sql):
        if t.kind in ("blank", "comment"):
            continue
        text = sql[t.start : t.end]
        if end >= 0 and text != ";":
            return None  # Something follows the row.
        if text in ("(", "["):
            if depth == 0 and values:
                start = t.start
            depth += 1
        elif text in (")", "]"):
            depth -= 1
            if depth == 0 and start >= 0:
                end = t.end
        elif t.kind == "$" and start < 0:
            return None  # A row alone would lack a parameter.
        elif depth == 0:
            if values and start < 0:
                return None
            values = values or (t.kind == "word" and text.upper() == "VALUES")
    return (start, end) if end >= 0 else None


def without_end(sql: str) -> str:
    """Returns one statement without its final ``;`` and what stands behind it."""
    for t in tokens(sql):
        if sql[t.start : t.end] == ";":
            return sql[: t.start]
    return sql
