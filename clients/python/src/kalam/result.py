"""Results of statements: columns, rows and what else the server says of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar, overload

from . import _cells
from .errors import DataError, InterfaceError, ProtocolError

T = TypeVar("T")
Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a result.

    ``type`` is the name on the wire: Boolean, SmallInt, Int, BigInt, Float, Double, Decimal,
    Text, Timestamp, DateTime, Date, Time, Json, Bytes or Uuid. ``precision`` and ``scale`` are
    those of a Decimal. The flags are known for columns of a table only.
    """

    name: str
    type: str
    precision: int | None = None
    scale: int | None = None
    primary_key: bool = False
    not_null: bool = False
    unique: bool = False


def columns_of(schema: Sequence[dict[str, Any]]) -> list[Column]:
    """Reads a ``schema`` of the wire."""
    columns = []
    for field in schema:
        kind, precision, scale = field["data_type"], None, None
        if isinstance(kind, dict):
            kind, details = next(iter(kind.items()))
            if isinstance(details, dict):
                precision, scale = details.get("precision"), details.get("scale")
        flags = field.get("flags") or ()
        columns.append(
            Column(str(field["name"]), str(kind), precision, scale, "pk" in flags, "nn" in flags, "uq" in flags)
        )
    return columns


class Result(Sequence[Row]):
    """The result of one statement: a sequence of rows, each a dict by column name.

    ``tuples`` holds the same rows as tuples, in which columns of one name are apart.
    ``row_count`` is the number of rows returned or changed, ``message`` what the server says
    of a statement without rows, ``truncated`` that the server cut the rows at its limit, ``took`` how long the
    server took, in milliseconds.
    """

    def __init__(self, raw: dict[str, Any], took: float = 0.0) -> None:
        self.columns = columns_of(raw.get("schema") or ())
        self.row_count = int(raw.get("row_count") or 0)
        self.message = str(raw.get("message") or "")
        self.as_user = str(raw.get("as_user") or "")
        self.statement = int(raw.get("statement_index") or 0)
        self.truncated = bool(raw.get("truncated"))
        self.job_ids = [str(j) for j in raw.get("job_ids") or ()]
        self.took = took
        self.has_rows = "schema" in raw
        self.tuples = self._decode(raw.get("rows") or [])
        self._names = [c.name for c in self.columns]

    def _decode(self, rows: list[list[Any]]) -> list[tuple[Any, ...]]:
        decoders = [_cells.decoder(c.type) for c in self.columns]
        width = len(decoders)
        out = []
        for row in rows:
            if len(row) != width:
                raise ProtocolError(f"a row has {len(row)} cells for {width} columns")
            try:
                out.append(tuple([v if v is None or f is None else f(v) for f, v in zip(decoders, row)]))
            except (ValueError, OverflowError, TypeError, ArithmeticError) as e:
                raise DataError(f"row {len(out) + 1} has a cell that Python cannot hold: {e}") from e
        return out

    def __len__(self) -> int:
        return len(self.tuples)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return [dict(zip(self._names, t)) for t in self.tuples[index]]
        return dict(zip(self._names, self.tuples[index]))

    def __iter__(self) -> Iterator[Row]:
        names = self._names
        return (dict(zip(names, t)) for t in self.tuples)

    def __repr__(self) -> str:
        if not self.has_rows:
            return f"<Result {self.message or self.row_count!r}>"
        return f"<Result {len(self)} rows of {', '.join(self._names)}>"

    def first(self) -> Row | None:
        """Returns the first row, None without rows."""
        return self[0] if self.tuples else None

    def scalar(self) -> Any:
        """Returns the first cell of the first row, None without rows."""
        return self.tuples[0][0] if self.tuples else None

    def into(self, kind: type[T]) -> list[T]:
        """Makes an object of each row: ``kind`` is called with the columns as named arguments.

        For a dataclass, columns that it has no field for are left out.
        """
        keep = set(self._names)
        if dataclasses.is_dataclass(kind):
            keep &= {f.name for f in dataclasses.fields(kind) if f.init}
        try:
            return [kind(**{k: v for k, v in row.items() if k in keep}) for row in self]
        except TypeError as e:
            raise InterfaceError(f"a row does not fit {kind.__name__}: {e}") from e
