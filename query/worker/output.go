package worker

import (
	"encoding/hex"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// output turns DuckDB's result columns into those that datatype knows: UUIDs,
// which DuckDB gives as text, become UUIDs again.
type output struct {
	schema *arrow.Schema
	types  []mapping.Type
	change bool // Batches get the schema, and UUIDs.
}

// newOutput fixes the schema of a result, which only the types of its columns decide,
// never its rows.
func newOutput(res *result) output {
	o := output{schema: res.schema, types: res.types}
	fields := append([]arrow.Field(nil), o.schema.Fields()...)
	for i := range fields {
		switch {
		case o.types[i] == mapping.TypeHugeInt:
			fields[i] = datatype.HugeIntField(fields[i])
		case o.types[i] == mapping.TypeUUID && fields[i].Type.ID() == arrow.STRING:
			fields[i] = datatype.FieldOf(fields[i].Name, kalam.TypeOf(kalam.KindUUID))
		default:
			continue
		}
		o.change = true
	}
	if o.change {
		o.schema = arrow.NewSchema(fields, nil)
	}
	return o
}

// convert returns rec with the schema, and releases rec.
func (o *output) convert(rec arrow.RecordBatch) (arrow.RecordBatch, error) {
	if !o.change {
		return rec, nil
	}
	defer rec.Release()
	cols := make([]arrow.Array, rec.NumCols())
	for i := range cols {
		cols[i] = rec.Column(i)
		text, ok := cols[i].(*array.String)
		if ok && o.types[i] == mapping.TypeUUID {
			cols[i] = uuidsOf(text)
			defer cols[i].Release()
		}
	}
	return array.NewRecordBatch(o.schema, cols, rec.NumRows()), nil
}

// uuidsOf reads DuckDB's spelling of UUIDs.
func uuidsOf(a *array.String) arrow.Array {
	b := extensions.NewUUIDBuilder(memory.DefaultAllocator)
	defer b.Release()
	b.Reserve(a.Len())
	for i := range a.Len() {
		var u [16]byte
		if a.IsNull(i) {
			b.AppendNull()
			continue
		}
		// DuckDB made the text, so it is one.
		_, _ = hex.Decode(u[:], []byte(strings.ReplaceAll(a.Value(i), "-", "")))
		b.Append(u)
	}
	return b.NewArray()
}
