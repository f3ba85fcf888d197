package lake

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// cellReader turns the physical values of one Parquet column into values of one
// table column. It goes by what the file says it holds (stored), and casts when
// the column was widened since.
type cellReader struct {
	stored kalam.DataType
	target kalam.DataType
	unit   int64 // stored times are multiplied by it to get microseconds, divided when negative
	text   *textArena
}

// textArena copies texts out of pages in few allocations. The strings stay valid
// as long as they are referred to.
type textArena struct {
	free  []byte
	used  int64 // bytes copied
	limit int64 // of used; 0 means none
}

// errTooMuchText means that a textArena met its limit.
var errTooMuchText = errors.New("the rows hold more text than is wanted")

const (
	minArenaChunk = 1 << 10
	maxArenaChunk = 256 << 10
)

// copy returns b as a string of its own.
func (a *textArena) copy(b []byte) (string, error) {
	if len(b) == 0 {
		return "", nil
	}
	if a.used += int64(len(b)); a.limit > 0 && a.used > a.limit {
		return "", errTooMuchText
	}
	if len(b) > cap(a.free)-len(a.free) {
		next := min(max(2*cap(a.free), minArenaChunk), maxArenaChunk)
		a.free = make([]byte, 0, max(next, len(b)))
	}
	start := len(a.free)
	a.free = append(a.free, b...)
	return unsafe.String(&a.free[start], len(b)), nil
}

// newCellReader returns the reader for a file column as a column of type t. A
// pair that does not go together is an error.
func newCellReader(c *schema.Column, t kalam.DataType) (cellReader, error) {
	r, ok, err := storedAs(c, t)
	if err != nil {
		return cellReader{}, err
	}
	if !ok || !castable(r.stored, t) {
		return cellReader{}, fmt.Errorf("column %s is stored as %s %s, not as %s", c.Name(), c.PhysicalType(), c.LogicalType(), t)
	}
	return r, nil
}

// storedAs returns the reader with the type that the file has, which is taken for t
// where the file does not say; ok is false for one that no column is stored as.
func storedAs(c *schema.Column, t kalam.DataType) (r cellReader, ok bool, err error) {
	if c.MaxRepetitionLevel() > 0 || c.MaxDefinitionLevel() > 1 {
		return r, false, fmt.Errorf("column %s is nested", c.Name())
	}
	r = cellReader{target: t, unit: 1}
	switch c.PhysicalType() {
	case parquet.Types.Boolean:
		r.stored, ok = kalam.TypeOf(kalam.KindBoolean), true
	case parquet.Types.Int32:
		r.stored, r.unit, ok = storedInt32(c.LogicalType())
	case parquet.Types.Int64:
		r.stored, r.unit, ok = storedInt64(c.LogicalType())
	case parquet.Types.Float:
		r.stored, ok = kalam.TypeOf(kalam.KindFloat), true
	case parquet.Types.Double:
		r.stored, ok = kalam.TypeOf(kalam.KindDouble), true
	case parquet.Types.ByteArray:
		r.stored, ok = storedBytes(c.LogicalType(), t)
	case parquet.Types.FixedLenByteArray:
		r.stored, ok = storedFixed(c, t)
	}
	return r, ok, nil
}

// castable reports whether a stored type can be what a column of type t was
// written as, perhaps before it was widened.
func castable(stored, t kalam.DataType) bool {
	if stored.Kind == t.Kind {
		return true
	}
	switch t.Kind {
	case kalam.KindText:
		return stored.Kind != kalam.KindBytes
	case kalam.KindInt, kalam.KindBigInt:
		return stored.Kind == kalam.KindSmallInt || stored.Kind == kalam.KindInt
	case kalam.KindFloat, kalam.KindDouble, kalam.KindDecimal:
		switch stored.Kind {
		case kalam.KindSmallInt, kalam.KindInt, kalam.KindBigInt, kalam.KindFloat, kalam.KindDecimal:
			return true
		}
	case kalam.KindTimestamp, kalam.KindDateTime:
		return stored.Kind == kalam.KindTimestamp || stored.Kind == kalam.KindDateTime || stored.Kind == kalam.KindDate
	}
	return false
}

// decimalLogical and timeLogical are met by the logical types that carry
// parameters, which the library has as values and as pointers.
type decimalLogical interface {
	Precision() int32
	Scale() int32
}

type timeLogical interface {
	TimeUnit() schema.TimeUnitType
	IsAdjustedToUTC() bool
}

func isTimestamp(l schema.LogicalType) bool {
	switch l.(type) {
	case schema.TimestampLogicalType, *schema.TimestampLogicalType:
		return true
	}
	return false
}

func storedDecimal(d decimalLogical) (kalam.DataType, bool) {
	p, s := d.Precision(), d.Scale()
	if p < 1 || p > kalam.MaxDecimalPrecision || s < 0 || s > p {
		return kalam.DataType{}, false
	}
	return kalam.DataType{Kind: kalam.KindDecimal, Precision: uint8(p), Scale: uint8(s)}, true
}

func storedInt32(l schema.LogicalType) (kalam.DataType, int64, bool) {
	switch l := l.(type) {
	case schema.DateLogicalType:
		return kalam.TypeOf(kalam.KindDate), 1, true
	case decimalLogical:
		t, ok := storedDecimal(l)
		return t, 1, ok
	case timeLogical:
		return kalam.TypeOf(kalam.KindTime), 1000, l.TimeUnit() == schema.TimeUnitMillis
	case interface {
		BitWidth() int8
		IsSigned() bool
	}:
		if l.BitWidth() <= 16 {
			return kalam.TypeOf(kalam.KindSmallInt), 1, l.IsSigned()
		}
		return kalam.TypeOf(kalam.KindInt), 1, l.IsSigned()
	}
	return kalam.TypeOf(kalam.KindInt), 1, true
}

func storedInt64(l schema.LogicalType) (kalam.DataType, int64, bool) {
	switch l := l.(type) {
	case decimalLogical:
		t, ok := storedDecimal(l)
		return t, 1, ok
	case timeLogical:
		unit, ok := int64(1), true
		switch l.TimeUnit() {
		case schema.TimeUnitMillis:
			unit = 1000
		case schema.TimeUnitMicros:
		case schema.TimeUnitNanos:
			unit = -1000
		default:
			ok = false
		}
		kind := kalam.KindTime
		if isTimestamp(l.(schema.LogicalType)) {
			kind = kalam.KindTimestamp
			if l.IsAdjustedToUTC() {
				kind = kalam.KindDateTime
			}
		}
		return kalam.TypeOf(kind), unit, ok
	case interface{ IsSigned() bool }:
		return kalam.TypeOf(kalam.KindBigInt), 1, l.IsSigned()
	}
	return kalam.TypeOf(kalam.KindBigInt), 1, true
}

// storedBytes takes text for JSON and bytes for text where the column says so:
// writers differ in what they annotate.
func storedBytes(l schema.LogicalType, t kalam.DataType) (kalam.DataType, bool) {
	switch l := l.(type) {
	case schema.JSONLogicalType:
		return kalam.TypeOf(kalam.KindJSON), true
	case schema.StringLogicalType, schema.EnumLogicalType:
		if t.Kind == kalam.KindJSON {
			return kalam.TypeOf(kalam.KindJSON), true
		}
		return kalam.TypeOf(kalam.KindText), true
	case decimalLogical:
		return storedDecimal(l)
	}
	if t.Kind == kalam.KindText || t.Kind == kalam.KindJSON {
		return t, true
	}
	return kalam.TypeOf(kalam.KindBytes), true
}

func storedFixed(c *schema.Column, t kalam.DataType) (kalam.DataType, bool) {
	switch l := c.LogicalType().(type) {
	case schema.UUIDLogicalType:
		return kalam.TypeOf(kalam.KindUUID), c.TypeLength() == 16
	case decimalLogical:
		d, ok := storedDecimal(l)
		return d, ok && c.TypeLength() <= 16
	}
	if t.Kind == kalam.KindUUID && c.TypeLength() == 16 {
		return t, true
	}
	return kalam.TypeOf(kalam.KindBytes), true
}

// cast turns a stored value into one of the column's type.
func (r *cellReader) cast(v kalam.Value) (kalam.Value, error) {
	if r.stored == r.target {
		return v, nil
	}
	return datatype.Cast(r.target, v)
}

func (r *cellReader) fromBool(b bool) (kalam.Value, error) { return r.cast(kalam.Bool(b)) }

func (r *cellReader) fromInt32(n int32) (kalam.Value, error) { return r.fromInt64(int64(n)) }

func (r *cellReader) fromInt64(n int64) (kalam.Value, error) {
	switch {
	case r.stored.Kind == kalam.KindDecimal:
		return r.cast(kalam.Decimal(n>>63, uint64(n), r.stored.Scale))
	case r.unit < 0:
		d := -r.unit
		q := n / d
		if n%d < 0 {
			q--
		}
		n = q
	case r.unit > 1:
		if n > (1<<63-1)/r.unit || n < -(1<<63-1)/r.unit {
			return kalam.Value{}, fmt.Errorf("time %d is out of range", n)
		}
		n *= r.unit
	}
	return r.cast(kalam.Integer(r.stored.Kind, n))
}

func (r *cellReader) fromFloat32(f float32) (kalam.Value, error) { return r.cast(kalam.Float(f)) }

func (r *cellReader) fromFloat64(f float64) (kalam.Value, error) { return r.cast(kalam.Double(f)) }

// fromBytes copies b, which belongs to a page.
func (r *cellReader) fromBytes(b parquet.ByteArray) (kalam.Value, error) {
	if r.stored.Kind == kalam.KindDecimal {
		return r.fromBigEndian(b)
	}
	s, err := r.text.copy(b)
	if err != nil {
		return kalam.Value{}, err
	}
	switch r.stored.Kind {
	case kalam.KindText:
		return r.cast(kalam.Text(s))
	case kalam.KindJSON:
		return r.cast(kalam.JSON(s))
	}
	return r.cast(kalam.Bytes(s))
}

func (r *cellReader) fromFixed(b parquet.FixedLenByteArray) (kalam.Value, error) {
	switch r.stored.Kind {
	case kalam.KindUUID:
		if len(b) != 16 {
			return kalam.Value{}, fmt.Errorf("a UUID has %d bytes", len(b))
		}
		return r.cast(kalam.UUID([16]byte(b)))
	case kalam.KindDecimal:
		return r.fromBigEndian(b)
	}
	s, err := r.text.copy(b)
	if err != nil {
		return kalam.Value{}, err
	}
	return r.cast(kalam.Bytes(s))
}

// fromBigEndian reads a two's complement decimal of up to 16 bytes.
func (r *cellReader) fromBigEndian(b []byte) (kalam.Value, error) {
	if len(b) == 0 || len(b) > 16 {
		return kalam.Value{}, fmt.Errorf("a DECIMAL has %d bytes", len(b))
	}
	var full [16]byte
	if b[0]&0x80 != 0 {
		for i := range full {
			full[i] = 0xFF
		}
	}
	copy(full[16-len(b):], b)
	hi := int64(binary.BigEndian.Uint64(full[:8]))
	return r.cast(kalam.Decimal(hi, binary.BigEndian.Uint64(full[8:]), r.stored.Scale))
}
