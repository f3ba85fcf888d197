"""Cells of the wire as values of Python: exact, by the type of their column."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Any

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
_FIRST_DAY = dt.date(1970, 1, 1).toordinal()
_DAY = 86_400_000_000


def timestamp(microseconds: int) -> dt.datetime:
    """Returns a moment, aware and in UTC."""
    return _EPOCH + dt.timedelta(microseconds=microseconds)


def date(days: int) -> dt.date:
    """Returns a day from its number since 1970."""
    return dt.date.fromordinal(_FIRST_DAY + days)


def time(microseconds: int) -> dt.time:
    """Returns a time of the day."""
    if not 0 <= microseconds < _DAY:
        raise ValueError(f"{microseconds} microseconds are no time of a day")
    return (dt.datetime.min + dt.timedelta(microseconds=microseconds)).time()


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "BigInt": int,
    "Float": float,  # Of "NaN" and "Infinity", too.
    "Double": float,
    "Decimal": Decimal,
    "Timestamp": timestamp,
    "DateTime": timestamp,
    "Date": date,
    "Time": time,
    "Json": json.loads,
    "Bytes": bytes,
    "Uuid": uuid.UUID,
}


def decoder(kind: str) -> Callable[[Any], Any] | None:
    """Returns what makes a value of a cell that is not NULL; None if the cell is the value.

    The cell of a list has the type Text and is a list already; its elements stay as they
    are on the wire, because their type is not there.
    """
    return _DECODERS.get(kind)
