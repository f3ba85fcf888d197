"""Streams of Arrow as tables and frames. The packages are imported when they are needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import InterfaceError, ProtocolError

if TYPE_CHECKING:
    import pandas
    import pyarrow


def table(stream: bytes) -> pyarrow.Table:
    """Reads a whole stream."""
    try:
        import pyarrow as pa
    except ImportError as e:
        raise InterfaceError("Arrow needs the package pyarrow: pip install 'kalam[arrow]'") from e
    try:
        with pa.ipc.open_stream(stream) as reader:
            return reader.read_all()
    except (pa.ArrowException, OSError) as e:
        raise ProtocolError(f"an Arrow stream that cannot be read: {e}") from e


def frame(rows: pyarrow.Table) -> pandas.DataFrame:
    """Makes a frame of a table."""
    try:
        import pandas as pd
        import pyarrow as pa
    except ImportError as e:
        raise InterfaceError("a DataFrame needs the package pandas: pip install 'kalam[pandas]'") from e
    exact = {
        pa.bool_(): pd.BooleanDtype(),
        pa.int8(): pd.Int8Dtype(),
        pa.int16(): pd.Int16Dtype(),
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.uint64(): pd.UInt64Dtype(),
    }
    columns = []
    for i, column in enumerate(rows.columns):
        # A type is mapped for a whole table, so each column is one.
        mapped = exact.get if column.null_count else None
        columns.append(rows.select([i]).to_pandas(types_mapper=mapped))
    return pd.concat(columns, axis=1)
