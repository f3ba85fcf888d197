"""Values of Python as parameters: JSON for the wire, or literals of SQL."""

from __future__ import annotations

import datetime as dt
import json
import math
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from .errors import DataError


class Json:
    """A value that is sent as the text of a JSON document, for columns of type JSON: a number, a string, None.

    A dict is a document without being wrapped. So is a list where it meets JSON; elsewhere it is the list of its
    elements, as in ``id = ANY($1)``.
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"Json({self.value!r})"


def _document(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as e:
        raise DataError(f"cannot be a JSON document: {e}") from e


class _Document(str):
    """The text of a JSON object, which is put into the JSON of parameters as it is."""


def _moment(value: dt.datetime) -> str:
    """A naive datetime is sent without a zone, and means what its text does in SQL: UTC."""
    if value.tzinfo is None:
        return value.isoformat(sep="T")
    return value.astimezone(dt.timezone.utc).replace(tzinfo=None).isoformat(sep="T") + "Z"


def _plain(value: Any) -> Any:
    """Returns what stands for a value: None, a bool, int, float, Decimal, str, bytes or list."""
    if value is None or isinstance(value, (bool, int, float, str, Decimal)):
        return value
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, dt.datetime):
        return _moment(value)
    if isinstance(value, dt.time) and value.tzinfo is not None:
        raise DataError("a time with a zone cannot be sent; TIME has none")
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, Json):
        return _document(value.value)
    if isinstance(value, dict):
        return _Document(_document(value))
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    item = getattr(value, "item", None)  # A scalar of numpy.
    if callable(item) and getattr(value, "shape", None) == ():
        return _plain(item())
    raise DataError(
        f"a {type(value).__name__} cannot be sent (None, bool, int, float, Decimal, str, bytes, "
        "datetime, date, time, UUID, dict, list or kalam.Json)"
    )


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as e:
        raise DataError("a string with a lone surrogate is no text") from e
    return value


def _digits(value: Decimal) -> str:
    if not value.is_finite():
        raise DataError(f"{value} is no DECIMAL")
    if abs(value.adjusted()) > 400:
        raise DataError(f"{value} is beyond the range of DECIMAL")
    return format(value, "f")


def _json(value: Any) -> str:
    """The JSON of a plain value."""
    if isinstance(value, _Document):
        return _text(value)
    if isinstance(value, bytes):
        return json.dumps("\\x" + value.hex())
    if isinstance(value, Decimal):
        return _digits(value)
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        if math.isfinite(value):
            return repr(float(value))
        return json.dumps(_special(value))
    if isinstance(value, str):
        return json.dumps(_text(value), ensure_ascii=False)
    return "[" + ",".join(_json(v) for v in value) + "]"


def _special(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _literal(value: Any) -> str:
    """The literal of a plain value."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"X'{value.hex()}'"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, Decimal):
        return _digits(value)
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        if not math.isfinite(value):
            return f"'{_special(value)}'"
        text = repr(float(value))
        return text if "e" in text else text + "e0"  # With an exponent it is a DOUBLE.
    if isinstance(value, str):
        return "'" + _text(value).replace("'", "''") + "'"
    if any(isinstance(v, (_Document, list)) for v in value):
        return _literal(_json(value))  # A document, since a list of SQL has elements of one type.
    return "[" + ", ".join(_literal(v) for v in value) + "]"


def _named(i: int, e: DataError) -> DataError:
    return DataError(f"parameter ${i + 1}: {e.message}", code="INVALID_PARAMETER")


def encode(params: Sequence[Any]) -> str:
    """Returns the JSON array of parameters."""
    cells = []
    for i, p in enumerate(params):
        try:
            cells.append(_json(_plain(p)))
        except DataError as e:
            raise _named(i, e) from e.__cause__
    return "[" + ",".join(cells) + "]"


def literals(params: Sequence[Any]) -> list[str]:
    """Returns parameters as literals of SQL."""
    out = []
    for i, p in enumerate(params):
        try:
            out.append(_literal(_plain(p)))
        except DataError as e:
            raise _named(i, e) from e.__cause__
    return out


def request(sql: str, params: Sequence[Any], namespace: str | None) -> bytes:
    """Returns the body of a request of the SQL endpoint."""
    try:
        text = json.dumps(_text(sql), ensure_ascii=False)
    except DataError as e:
        raise DataError("the statement has a lone surrogate, which is no text") from e
    body = f'{{"sql":{text}'
    if params:
        body += f',"params":{encode(params)}'
    if namespace:
        body += f',"namespace_id":{json.dumps(namespace)}'
    return (body + "}").encode()
