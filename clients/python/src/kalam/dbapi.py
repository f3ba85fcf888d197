"""DB-API 2.0 (PEP 249).

::

    import kalam.dbapi

    with kalam.dbapi.connect("http://localhost:8080", user="alice", password="...") as conn:
        cur = conn.cursor()
        cur.execute("INSERT INTO app.notes (body) VALUES (?)", ["hello"])
        cur.execute("SELECT id, body FROM app.notes WHERE body = ?", ["hello"])
        print(cur.fetchall())

Placeholders are ``?`` outside of quotes and comments, or the server's own ``$1``; the operator ``?`` is written
``??`` in statements with parameters.

A transaction of kalam lives inside one request. So connections begin with ``autocommit`` on, other than PEP 249
asks for, and each statement commits by itself. After ``conn.begin()``, ``BEGIN``, or with ``autocommit = False``,
statements that write are kept and sent as one request by ``commit()``, all or nothing; ``rollback()`` forgets
them. Until then ``rowcount`` is -1, and what would have to see them, a query or RETURNING, raises NotSupportedError.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Union

from . import _batch, _sql
from .client import Client
from .client import connect as _connect
from .errors import (
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    Warning,
)
from .result import Column, Result

__all__ = [
    "BINARY",
    "DATETIME",
    "NUMBER",
    "ROWID",
    "STRING",
    "Binary",
    "Connection",
    "Cursor",
    "DataError",
    "DatabaseError",
    "Date",
    "DateFromTicks",
    "Error",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "NotSupportedError",
    "OperationalError",
    "ProgrammingError",
    "Time",
    "TimeFromTicks",
    "Timestamp",
    "TimestampFromTicks",
    "Warning",
    "apilevel",
    "connect",
    "paramstyle",
    "threadsafety",
]

apilevel = "2.0"
threadsafety = 1
"""Threads may share the module; each has a connection of its own, since a transaction is that of a connection."""
paramstyle = "qmark"

Date = dt.date
Time = dt.time
Timestamp = dt.datetime
Binary = bytes


def DateFromTicks(ticks: float) -> dt.date:
    """Returns the local date of a time of the clock."""
    return dt.date(*time.localtime(ticks)[:3])


def TimeFromTicks(ticks: float) -> dt.time:
    """Returns the local time of a time of the clock."""
    return dt.time(*time.localtime(ticks)[3:6])


def TimestampFromTicks(ticks: float) -> dt.datetime:
    """Returns the moment of a time of the clock, aware and in UTC."""
    return dt.datetime.fromtimestamp(ticks, dt.timezone.utc)


class TypeObject:
    """A group of types: equal to the type code, which is the name of a type, of each column in it."""

    def __init__(self, name: str, *types: str) -> None:
        self.name = name
        self.types = frozenset(types)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, TypeObject):
            return self.types == other.types
        return other in self.types

    def __hash__(self) -> int:
        return hash(self.types)

    def __repr__(self) -> str:
        return f"kalam.dbapi.{self.name}"


STRING = TypeObject("STRING", "Text", "Json", "Uuid")
BINARY = TypeObject("BINARY", "Bytes")
NUMBER = TypeObject("NUMBER", "Boolean", "SmallInt", "Int", "BigInt", "Float", "Double", "Decimal")
DATETIME = TypeObject("DATETIME", "Timestamp", "DateTime", "Date", "Time")
ROWID = TypeObject("ROWID")

Params = Sequence[Any]
Description = tuple[str, str, None, None, Union[int, None], Union[int, None], Union[bool, None]]

_READS = frozenset(
    [
        "SELECT",
        "WITH",
        "VALUES",
        "FROM",
        "SHOW",
        "DESCRIBE",
        "DESC",
        "EXPLAIN",
        "SUMMARIZE",
        "TABLE",
        "PIVOT",
        "UNPIVOT",
    ]
)
_WRITES = frozenset(["INSERT", "UPDATE", "DELETE", "TRUNCATE", "EXECUTE"])


def connect(url: str, *, autocommit: bool = True, **options: Any) -> Connection:
    """Connects to a server; the options are those of :func:`kalam.connect`."""
    return Connection(_connect(url, **options), autocommit=autocommit)


class Connection:
    """A connection of DB-API 2.0. As a context manager it commits at the end, or rolls back after an exception, and
    is closed."""

    Warning = Warning
    Error = Error
    InterfaceError = InterfaceError
    DatabaseError = DatabaseError
    DataError = DataError
    OperationalError = OperationalError
    IntegrityError = IntegrityError
    InternalError = InternalError
    ProgrammingError = ProgrammingError
    NotSupportedError = NotSupportedError

    def __init__(self, client: Client, *, autocommit: bool = True) -> None:
        self._client: Client | None = client
        self._autocommit = autocommit
        self._begun = False
        self._pending: list[str] = []

    @property
    def client(self) -> Client:
        """The client, for live queries and all else that DB-API does not have."""
        if self._client is None:
            raise InterfaceError("the connection is closed")
        return self._client

    @property
    def autocommit(self) -> bool:
        """Whether each statement commits by itself. Setting it to true needs that nothing is pending."""
        return self._autocommit

    @autocommit.setter
    def autocommit(self, on: bool) -> None:
        if on and self.in_transaction:
            raise ProgrammingError("a transaction is open: commit() or rollback() first")
        self._autocommit = bool(on)

    @property
    def in_transaction(self) -> bool:
        """Whether statements are being kept for commit()."""
        return self._begun or bool(self._pending)

    def begin(self) -> None:
        """Begins a transaction."""
        _ = self.client  # It must be open.
        if self._begun:
            raise ProgrammingError("a transaction is open already")
        self._begun = True

    def commit(self) -> None:
        """Sends what is pending as one transaction. When that fails nothing was done, and nothing is pending."""
        client = self.client
        texts, self._pending, self._begun = self._pending, [], False
        if texts:
            client._run_texts(texts, True, client._options.timeout)

    def rollback(self) -> None:
        """Forgets what is pending. What autocommit has committed stays."""
        _ = self.client  # It must be open.
        self._pending, self._begun = [], False

    def cursor(self) -> Cursor:
        """Returns a cursor."""
        _ = self.client  # It must be open.
        return Cursor(self)

    def close(self) -> None:
        """Closes the connection; what is pending is rolled back."""
        client, self._client = self._client, None
        self._pending, self._begun = [], False
        if client is not None:
            client.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        try:
            if kind is None:
                self.commit()
        finally:
            self.close()

    def _collects(self) -> bool:
        return self._begun or not self._autocommit


class Cursor:
    """A cursor. Results are whole when execute returns."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.arraysize = 1
        self._closed = False
        self._results: list[Result] = []
        self._at = 0
        self._rowcount = -1
        self.rowfactory: Callable[[Cursor, tuple[Any, ...]], Any] | None = None

    # What the last statement gave.

    @property
    def _result(self) -> Result | None:
        return self._results[0] if self._results else None

    @property
    def description(self) -> list[Description] | None:
        """The columns of the result: name, type code, None, None, precision, scale, whether NULL may be."""
        if self._result is None or not self._result.has_rows:
            return None
        return [_described(c) for c in self._result.columns]

    @property
    def rowcount(self) -> int:
        """The rows returned or changed; -1 when it is not known."""
        return self._rowcount

    @property
    def rownumber(self) -> int | None:
        """The index of the next row, from 0."""
        return self._at if self.description is not None else None

    # Statements.

    def execute(self, operation: str, parameters: Params | None = None) -> Cursor:
        """Runs a statement; without parameters it may be several, of which nextset() gives the later results."""
        self._open()
        self._forget()
        params = _checked(parameters)
        sql = operation if parameters is None else _sql.to_dollar(operation, len(params))
        first = (_sql.words(sql) or [""])[0]
        if first in ("BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT") and _sql.is_single(sql):
            self._control(first)
        elif self.connection._collects() and self._keep(sql, first, params):
            pass
        else:
            self._take(self.connection.client.query_all(sql, *params))
        return self

    def executemany(self, operation: str, seq_of_parameters: Iterable[Params]) -> Cursor:
        """Runs a statement for each of the parameters, as few requests as the server's limits allow; each is all or
        nothing. Rows of an INSERT are put into one statement."""
        self._open()
        self._forget()
        rows = [_checked(p) for p in seq_of_parameters]
        if not rows:
            self._rowcount = 0
            return self
        sql = _sql.to_dollar(operation, len(rows[0]))
        first = (_sql.words(sql) or [""])[0]
        if first not in _WRITES or _returns(sql):
            raise NotSupportedError("executemany takes INSERT, UPDATE, DELETE without RETURNING")
        requests = _batch.repeat(sql, rows)
        if self.connection._collects():
            for texts in requests:
                self.connection._pending += texts
            return self
        self._rowcount = 0
        for texts in requests:
            client = self.connection.client
            results = client._run_texts(texts, len(texts) > 1, client._options.timeout)
            self._rowcount += sum(r.row_count for r in results)
        return self

    def _control(self, first: str) -> None:
        if first in ("BEGIN", "START"):
            self.connection.begin()
        elif first in ("COMMIT", "END"):
            self.connection.commit()
        else:
            self.connection.rollback()

    def _keep(self, sql: str, first: str, params: Params) -> bool:
        """Keeps a statement for commit(), if it is one that writes."""
        if not _sql.is_single(sql):
            raise NotSupportedError("in a transaction each statement is executed by itself")
        if first in _WRITES:
            if _returns(sql):
                raise NotSupportedError(
                    "RETURNING in a transaction: it is sent at commit(), and gives no rows; use autocommit for it"
                )
            self.connection._pending.append(_batch.text_of((sql, params)))
            return True
        if self.connection._pending:
            raise NotSupportedError(
                f"{first or 'this'} after writes of an open transaction, which it could not see: kalam's transactions "
                "are one request; commit() first"
            )
        if first not in _READS and self.connection._begun:
            raise NotSupportedError(f"{first or 'this'} cannot be in a transaction")
        return False

    def nextset(self) -> bool | None:
        """Goes on to the next result; None when there is none."""
        self._open()
        if len(self._results) < 2:
            self._results = []
            return None
        self._take(self._results[1:])
        return True

    # Rows.

    def fetchone(self) -> Any:
        """Returns the next row, a tuple; None at the end."""
        rows = self.fetchmany(1)
        return rows[0] if rows else None

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """Returns the next rows, ``arraysize`` of them if no size is given."""
        rows = self._rows()
        size = self.arraysize if size is None else size
        if size < 0:
            raise InterfaceError(f"size must not be negative, got {size}")
        start, self._at = self._at, min(self._at + size, len(rows))
        return self._made(rows[start : self._at])

    def fetchall(self) -> list[Any]:
        """Returns the rows that are left."""
        rows = self._rows()
        start, self._at = self._at, len(rows)
        return self._made(rows[start:])

    def _made(self, rows: list[tuple[Any, ...]]) -> list[Any]:
        if self.rowfactory is None:
            return list(rows)
        return [self.rowfactory(self, r) for r in rows]

    def _rows(self) -> list[tuple[Any, ...]]:
        self._open()
        if self._result is None or not self._result.has_rows:
            raise ProgrammingError("there are no rows to fetch: the last statement gave none")
        return self._result.tuples

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        row = self.fetchone()
        if row is None:
            raise StopIteration
        return row

    # The rest of PEP 249.

    def setinputsizes(self, sizes: Sequence[Any]) -> None:
        """Does nothing."""

    def setoutputsize(self, size: int, column: int | None = None) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Closes the cursor."""
        self._closed = True
        self._forget()

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _open(self) -> None:
        if self._closed:
            raise InterfaceError("the cursor is closed")
        _ = self.connection.client  # It must be open.

    def _forget(self) -> None:
        self._results, self._at, self._rowcount = [], 0, -1

    def _take(self, results: list[Result]) -> None:
        self._results, self._at = results, 0
        self._rowcount = results[0].row_count if results else -1


def _checked(parameters: Params | None) -> tuple[Any, ...]:
    if parameters is None:
        return ()
    if isinstance(parameters, (str, bytes)) or not isinstance(parameters, Sequence):
        raise InterfaceError(f"parameters are a list or tuple, not a {type(parameters).__name__}")
    return tuple(parameters)


def _returns(sql: str) -> bool:
    """Reports whether a statement has RETURNING."""
    return any(t.kind == "word" and sql[t.start : t.end].upper() == "RETURNING" for t in _sql.tokens(sql))


def _described(c: Column) -> Description:
    return (c.name, c.type, None, None, c.precision, c.scale, False if c.not_null else None)
