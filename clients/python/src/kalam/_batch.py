"""Several statements in one request. Their parameters are put in as literals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Union

from . import _params, _sql
from .errors import Error, InterfaceError, ProgrammingError

Statement = Union[str, tuple[str, Sequence[Any]]]

# The server takes texts of 1 MiB; a row of executemany may be longer than what is left.
MAX_TEXT = 1 << 20
_CHUNK = 1 << 19


def text_of(statement: Statement) -> str:
    """Returns a statement, or a pair of one and its parameters, without parameters.

    A list becomes a list of SQL: ``id = ANY($1)`` takes it, but not ``id IN ($1)``, and its strings are texts, also
    where they meet another type.
    """
    if isinstance(statement, str):
        sql, params = statement, ()
    else:
        try:
            sql, given = statement
            params = tuple(given)
        except (TypeError, ValueError) as e:
            raise InterfaceError("a statement of a batch is a text, or a pair of text and parameters") from e
    if not _sql.is_single(sql):
        raise ProgrammingError("a statement of a batch is one statement")
    if params:
        sql = _sql.Template(sql).fill(_params.literals(params))
    return _sql.without_end(sql)


_BETWEEN = "\n;\n"  # The line breaks end comments.
_BEGIN = "BEGIN"


def join(texts: Sequence[str], transaction: bool) -> str:
    """Makes one text of statements."""
    return _BETWEEN.join([_BEGIN, *texts, "COMMIT"] if transaction else texts)


def repeat(sql: str, rows: Iterable[Sequence[Any]]) -> list[list[str]]:
    """Returns the statements for one statement and many rows of parameters, in requests of half a MiB.

    The rows of an INSERT become one statement each request.
    """
    sql = _sql.without_end(sql)
    if not _sql.is_single(sql):
        raise ProgrammingError("executemany takes one statement")
    place = _sql.values_clause(sql)
    row_text, head = (sql[place[0] : place[1]], sql[: place[0]]) if place else (sql, "")
    template = _sql.Template(row_text)
    requests: list[list[str]] = []
    size = _CHUNK
    for row in rows:
        text = template.fill(_params.literals(row))
        if size + len(text) > _CHUNK:
            requests.append([])
            size = len(head)
        requests[-1].append(text)
        size += len(text) + 8
    if place:
        return [[head + ", ".join(r)] for r in requests]
    return requests


_NUMBER = re.compile(r"^Statement \d+ failed")


def renumbered(e: Error, texts: Sequence[str], transaction: bool) -> Error:
    """Returns an error of a batch with the number of the statement in the batch, which BEGIN does not count in, and
    the position in that statement. A COMMIT that fails has the number 0."""
    before = 0
    if transaction:
        e.results = []  # They were rolled back.
        if e.statement:
            before = len(_BEGIN) + len(_BETWEEN)
            e.statement = e.statement - 1 if e.statement <= len(texts) + 1 else 0
    if e.statement:
        before += sum(len(t.encode()) + len(_BETWEEN) for t in texts[: e.statement - 1])
        e.message = _NUMBER.sub(f"Statement {e.statement} failed", e.message)
    else:
        e.message = _NUMBER.sub("COMMIT failed", e.message)
    e.args = (e.message,)
    e.position = max(e.position - before, 0)
    return e
