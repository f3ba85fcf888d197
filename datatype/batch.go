package datatype

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/kalamlake/kalam"
)

// maxBatchBytes bounds the payload bytes of a batch: the offsets of Arrow strings
// have 31 bits.
const maxBatchBytes = math.MaxInt32

// BatchBuilder collects stored rows of one table into record batches of
// TableSchema. It is not safe for concurrent use. Release it when done.
type BatchBuilder struct {
	schema  *arrow.Schema
	table   *kalam.Table
	columns []columnBuilder
	cells   []storedCell // of the row being appended, one per column
	seq     *array.Int64Builder
	deleted *array.BooleanBuilder
	rows    int
	bytes   int
	last    int // Rows of the last batch: the next one is likely to have as many.
}

// storedCell is where a row has the value of one column. A cast or defaulted
// value is in value, with the tag tagValue.
type storedCell struct {
	tag   byte
	data  []byte
	value kalam.Value
}

// maxReserve bounds the bytes of strings that are reserved for one column.
const maxReserve = 4 << 20

// tagValue marks a storedCell whose value is already decoded.
const tagValue = 0xEF

// NewBatchBuilder returns a builder for rows of t. A nil mem is Go's allocator.
func NewBatchBuilder(mem memory.Allocator, t *kalam.Table) *BatchBuilder {
	if mem == nil {
		mem = memory.DefaultAllocator
	}
	b := &BatchBuilder{
		schema:  TableSchema(t),
		table:   t,
		columns: make([]columnBuilder, len(t.Columns)),
		cells:   make([]storedCell, len(t.Columns)),
		seq:     array.NewInt64Builder(mem),
		deleted: array.NewBooleanBuilder(mem),
	}
	for i := range t.Columns {
		b.columns[i] = newColumnBuilder(mem, ArrowType(t.Columns[i].Type), t.Columns[i].Type)
	}
	return b
}

// Append adds row r under the rules of DecodeRow; it copies what it needs. A
// damaged payload gives CodeCorrupt and adds nothing. A batch is limited to
// 2 GiB of payload: a row beyond that gives CodeResourceExhausted and adds
// nothing; see Bytes.
func (b *BatchBuilder) Append(r kalam.Row) error {
	if len(r.Payload) > maxBatchBytes-b.bytes {
		return kalam.Errorf(kalam.CodeResourceExhausted, "a batch of rows of table %s exceeds %d bytes", b.table.ID,
			maxBatchBytes)
	}
	if err := b.find(r.Payload); err != nil {
		return corruptRow(b.table, err)
	}
	if b.rows == 0 && b.last > 0 {
		b.reserve()
	}
	for i := range b.columns {
		b.columns[i].appendStored(&b.cells[i])
	}
	b.seq.Append(int64(r.Seq))
	b.deleted.Append(r.Deleted)
	b.rows++
	b.bytes += len(r.Payload)
	return nil
}

// HasNegativeZero reports whether a FLOAT or DOUBLE column of a stored row is -0,
// under the rules of DecodeRow. A damaged payload gives CodeCorrupt. It does not
// change what was appended.
func (b *BatchBuilder) HasNegativeZero(payload []byte) (bool, error) {
	if err := b.find(payload); err != nil {
		return false, corruptRow(b.table, err)
	}
	for i := range b.cells {
		c := &b.cells[i]
		d := of(b.table.Columns[i].Type.Kind)
		if d.kind.Family() != kalam.FamilyFloat || c.tag == tagNull {
			continue
		}
		v := c.value
		if c.tag != tagValue {
			v = d.decode(d.kind, c.data)
		}
		f := v.Float64()
		if f == 0 && math.Signbit(f) {
			return true, nil
		}
	}
	return false, nil
}

// find fills cells from payload and checks everything that can be wrong, so that
// appending cannot fail half-way.
func (b *BatchBuilder) find(payload []byte) error {
	r, err := readRow(payload)
	if err != nil {
		return err
	}
	cols, at := b.table.Columns, 0
	for r.left > 0 {
		if err := r.next(); err != nil {
			return err
		}
		for at < len(cols) && cols[at].ID < r.id {
			b.missing(at)
			at++
		}
		if at == len(cols) || cols[at].ID != r.id {
			continue
		}
		if err := b.cells[at].set(&r, cols[at].Type); err != nil {
			return err
		}
		at++
	}
	for ; at < len(cols); at++ {
		b.missing(at)
	}
	return r.end()
}

// missing fills the cell of a column that the row does not have.
func (b *BatchBuilder) missing(at int) {
	b.cells[at] = storedCell{tag: tagValue, value: b.table.Columns[at].Missing}
	if b.cells[at].value.IsNull() {
		b.cells[at].tag = tagNull
	}
}

// set takes the column that r stands on; t is the column's type.
func (c *storedCell) set(r *rowReader, t kalam.DataType) (err error) {
	c.tag, c.data = r.tag, r.data
	if r.tag == tagNull {
		return nil
	}
	if d := of(t.Kind); r.tag == byte(t.Kind) && !d.parametric {
		if d.validate != nil {
			return d.validate(r.data)
		}
		return nil
	}
	c.tag = tagValue
	c.value, err = r.value(t)
	return err
}

// Len returns the number of rows appended since the last NewBatch.
func (b *BatchBuilder) Len() int { return b.rows }

// Bytes returns the sum of the payload sizes of these rows.
func (b *BatchBuilder) Bytes() int { return b.bytes }

// NewBatch returns the rows appended so far, in that order, and empties the
// builder. The caller releases the batch.
func (b *BatchBuilder) NewBatch() arrow.RecordBatch {
	arrays := make([]arrow.Array, 0, len(b.columns)+2)
	for i := range b.columns {
		arrays = append(arrays, b.columns[i].newArray())
	}
	arrays = append(arrays, b.seq.NewArray(), b.deleted.NewArray())
	rec := array.NewRecordBatch(b.schema, arrays, int64(b.rows))
	for _, a := range arrays {
		a.Release()
	}
	b.last, b.rows, b.bytes = b.rows, 0, 0
	return rec
}

// reserve makes room for a batch like the last one, which otherwise would be
// copied at each step of its growth.
func (b *BatchBuilder) reserve() {
	for i := range b.columns {
		b.columns[i].reserve(b.last)
	}
	b.seq.Reserve(b.last)
	b.deleted.Reserve(b.last)
}

// Release frees the builder's memory; batches stay valid.
func (b *BatchBuilder) Release() {
	for i := range b.columns {
		b.columns[i].release()
	}
	b.seq.Release()
	b.deleted.Release()
}

// columnBuilder builds the array of one column of a type of ours.
type columnBuilder struct {
	builder array.Builder
	column  column              // Over builder.
	strings stringBuilder       // The builder, when it has strings.
	wrap    arrow.ExtensionType // Of the finished array, nil for none.
	last    int                 // Bytes of strings in the last array.
}

// stringBuilder is what builders of strings have.
type stringBuilder interface {
	ReserveData(n int)
	DataLen() int
}

// reserve makes room for rows with about as many bytes as the last array had.
func (c *columnBuilder) reserve(rows int) {
	c.builder.Reserve(rows)
	if c.strings != nil {
		c.strings.ReserveData(min(c.last+c.last/16, maxReserve))
	}
}

// newColumnBuilder returns a builder for values of type t in arrays of type dt,
// which is ArrowType(t).
func newColumnBuilder(mem memory.Allocator, dt arrow.DataType, t kalam.DataType) columnBuilder {
	var c columnBuilder
	if ext, ok := dt.(arrow.ExtensionType); ok {
		c.wrap, dt = ext, ext.StorageType()
	}
	c.builder = array.NewBuilder(mem, dt)
	c.column = of(t.Kind).column(c.builder)
	c.strings, _ = c.builder.(stringBuilder)
	return c
}

// appendStored adds a cell that was checked by set.
func (c *columnBuilder) appendStored(cell *storedCell) {
	switch cell.tag {
	case tagNull:
		c.builder.AppendNull()
	case tagValue:
		c.appendValue(cell.value)
	default:
		c.column.appendData(cell.data)
	}
}

// appendValue adds v, which is NULL or of the column's type.
func (c *columnBuilder) appendValue(v kalam.Value) {
	if v.IsNull() {
		c.builder.AppendNull()
		return
	}
	c.column.appendValue(v)
}

// newArray returns the finished column and empties the builder.
func (c *columnBuilder) newArray() arrow.Array {
	if c.strings != nil {
		c.last = c.strings.DataLen()
	}
	a := c.builder.NewArray()
	if c.wrap == nil {
		return a
	}
	defer a.Release()
	return array.NewExtensionArrayWithStorage(c.wrap, a)
}

// release frees the builder.
func (c *columnBuilder) release() { c.builder.Release() }

// RowsBuilder collects rows of values into record batches of a schema made of
// our types (FieldOf), such as those of the system tables. It is not safe for
// concurrent use. Release it when done.
type RowsBuilder struct {
	schema  *arrow.Schema
	types   []kalam.DataType
	columns []columnBuilder
	row     []kalam.Value // cast values of the row being appended
	rows    int
}

// NewRowsBuilder returns a builder for schema. A nil mem is Go's allocator. The
// error says which field has a type that is not one of ArrowType's.
func NewRowsBuilder(mem memory.Allocator, schema *arrow.Schema) (*RowsBuilder, error) {
	if mem == nil {
		mem = memory.DefaultAllocator
	}
	n := schema.NumFields()
	b := &RowsBuilder{schema: schema, row: make([]kalam.Value, n)}
	for i := range n {
		f := schema.Field(i)
		t := TypeOfArrow(f)
		if dt := ArrowType(t); dt == nil || !arrow.TypeEqual(dt, f.Type) {
			b.Release()
			return nil, kalam.Errorf(kalam.CodeInternal,
				"field %s has type %s, which rows of values cannot be built of", f.Name,
				f.Type)
		}
		b.types = append(b.types, t)
		b.columns = append(b.columns, newColumnBuilder(mem, f.Type, t))
	}
	return b, nil
}

// AppendValues adds one row: a value per field in order, each NULL or what Cast
// takes for the field's type. It copies what it needs. On an error, which names
// the column, nothing is added.
func (b *RowsBuilder) AppendValues(vals []kalam.Value) error {
	if len(vals) != len(b.columns) {
		return kalam.Errorf(kalam.CodeInternal, "a row has %d values, its schema %d fields", len(vals), len(b.columns))
	}
	for i, v := range vals {
		var err error
		if b.row[i], err = Cast(b.types[i], v); err != nil {
			return ForColumn(err, b.schema.Field(i).Name)
		}
	}
	for i := range b.columns {
		b.columns[i].appendValue(b.row[i])
	}
	b.rows++
	return nil
}

// Len returns the number of rows appended since the last NewBatch.
func (b *RowsBuilder) Len() int { return b.rows }

// NewBatch returns the rows appended so far, in that order, and empties the
// builder. The caller releases the batch.
func (b *RowsBuilder) NewBatch() arrow.RecordBatch {
	arrays := make([]arrow.Array, 0, len(b.columns))
	for i := range b.columns {
		arrays = append(arrays, b.columns[i].newArray())
	}
	rec := array.NewRecordBatch(b.schema, arrays, int64(b.rows))
	for _, a := range arrays {
		a.Release()
	}
	b.rows = 0
	return rec
}

// Release frees the builder's memory; batches stay valid.
func (b *RowsBuilder) Release() {
	for i := range b.columns {
		b.columns[i].release()
	}
}

// CastColumn casts v to the type of a column and names the column in the error.
func CastColumn(c *kalam.Column, v kalam.Value) (kalam.Value, error) {
	out, err := Cast(c.Type, v)
	if err != nil {
		return kalam.Value{}, ForColumn(err, c.Name)
	}
	return out, nil
}
