"""Client of the kalam SQL database.

::

    import kalam

    db = kalam.connect("http://localhost:8080", user="alice", password="...")
    for row in db.query("SELECT id, body FROM app.notes WHERE id > $1", 10):
        print(row["id"], row["body"])

:func:`connect` gives a client for programs with threads, :func:`kalam.aio.connect` one for asyncio, and
:mod:`kalam.dbapi` is DB-API 2.0. Values are exact: BIGINT is int, DECIMAL is Decimal, TIMESTAMP is an aware
datetime with microseconds, BYTES is bytes, JSON is decoded.
"""

from . import aio
from ._params import Json
from .auth import Tokens
from .client import Client, Transaction, connect
from .errors import (
    AuthenticationError,
    Cancelled,
    ConnectionFailed,
    DatabaseError,
    DataError,
    Error,
    IntegrityError,
    InterfaceError,
    InternalError,
    LiveError,
    NotSupportedError,
    OperationalError,
    PermissionDenied,
    ProgrammingError,
    ProtocolError,
    Timeout,
)
from .events import ALL_ROWS, Event
from .live import Live, LiveRows
from .result import Column, Result, Row
from .version import __version__

__all__ = [
    "ALL_ROWS",
    "AuthenticationError",
    "Cancelled",
    "Client",
    "Column",
    "ConnectionFailed",
    "DataError",
    "DatabaseError",
    "Error",
    "Event",
    "IntegrityError",
    "InterfaceError",
    "InternalError",
    "Json",
    "Live",
    "LiveError",
    "LiveRows",
    "NotSupportedError",
    "OperationalError",
    "PermissionDenied",
    "ProgrammingError",
    "ProtocolError",
    "Result",
    "Row",
    "Timeout",
    "Tokens",
    "Transaction",
    "__version__",
    "aio",
    "connect",
]
