"""Reads an Apache Iceberg table with pyiceberg and prints it as one line of JSON.

usage: read.py METADATA FILTER PROPERTIES

FILTER may be empty; PROPERTIES, such as those of a bucket, are a JSON object.

Numbers that JSON readers round are text; times are microseconds, dates days; bytes are hexadecimal digits.
"""
import json
import sys
import uuid

import pyarrow as pa
from pyiceberg.table import StaticTable


def cells(column):
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind):
        column = column.cast(pa.int64())
    elif pa.types.is_date(kind):
        column = column.cast(pa.int32())
    return [cell(v) for v in column.to_pylist()]


def cell(v):
    if v is None or isinstance(v, bool):
        return v
    if isinstance(v, float):
        return v.hex()
    if isinstance(v, (bytes, bytearray)):
        return bytes(v).hex()
    if isinstance(v, uuid.UUID):
        return v.bytes.hex()
    return format(v, "f") if not isinstance(v, (str, int)) else str(v)


table = StaticTable.from_metadata(sys.argv[1], json.loads(sys.argv[3]))
scan = table.scan(row_filter=sys.argv[2]) if sys.argv[2] else table.scan()
tasks = list(scan.plan_files())
data = scan.to_arrow()
columns = [cells(data.column(i)) for i in range(data.num_columns)]
print(json.dumps({
    "uuid": str(table.metadata.table_uuid),
    "location": table.metadata.location,
    "properties": table.metadata.properties,
    "snapshots": len(table.metadata.snapshots),
    "keys": table.schema().identifier_field_ids,
    "files": sorted(t.file.file_path for t in tasks),
    "deletes": sorted(d.file_path for t in tasks for d in t.delete_files),
    "columns": [{"id": f.field_id, "name": f.name, "type": str(f.field_type), "required": f.required, "doc": f.doc or ""}
                for f in table.schema().fields],
    "rows": [list(row) for row in zip(*columns)],
}))
