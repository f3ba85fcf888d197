package parquet

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
	stored   kalam.DataType
	target   kalam.DataType
	unit     int64 // stored times are multiplied by it to get microseconds, divided when negative
	text     *textArena
	unsigned bool // An integer of 32 bits has no sign.
}

// textArena copies texts out of pages in few allocations. The strings stay valid
// as long as they are referred to.
type textArena struct {
	free  []byte
	used  int64 // bytes copied
	limit int64 // of used; 0 means none
}

// ErrTooMuchText means that a textArena met its limit.
var ErrTooMuchText = errors.New("the rows hold more text than is wanted")

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
		return "", ErrTooMuchText
	}
	if len(b) > cap(a.free)-len(a.free) {
		next := min(max(2*cap(a.free), minArenaChunk), maxArenaChunk)
		a.free = make([]byte, 0, max(next, len(b)))
	}
	start := len(a.free)
	a.free = append(a.free, b...)
	//nolint:gosec // The bytes are written once, above.
	return unsafe.String(&a.free[start], len(b)), nil
}

// newCellReader returns the reader for a file column as a column of type t. A
// pair that does not go together is an error.
func newCellReader(c *schema.Column, t kalam.DataType) (cellReader, error) {
	r, ok, err := storedAs(c, t)
	if err != nil {
		return cellReader{}, err
	}
	if !ok || !datatype.Widens(r.stored, t) {
		return cellReader{}, fmt.Errorf("column %s is stored as %s %s, not as %s", c.Name(),
			c.PhysicalType(), c.LogicalType(), t)
	}
	return r, nil
}

// storedAs returns the reader with the type that the file has, which is taken for t
// where the file does not say; ok is false for one that no column is stored as.
func storedAs(c *schema.Column, t kalam.DataType) (r cellReader, ok bool, err error) {
	if c.MaxRepetitionLevel() > 0 || c.MaxDefinitionLevel() > 1 {
		return r, false, fmt.Errorf("column %s is nested", c.Name())
	}
	how := howStored(c)
	r = cellReader{target: t, unit: max(how.Unit, 1), unsigned: how.Logical == datatype.LogicalInteger && !how.Signed}
	if how.Unit < 0 {
		r.unit = how.Unit
	}
	r.stored, ok = datatype.StoredAs(how, t)
	return r, ok, nil
}

// howStored returns what a file says of a column. A meaning that no column of ours has is
// LogicalNone.
func howStored(c *schema.Column) datatype.ParquetColumn {
	how := datatype.ParquetColumn{Physical: datatype.ParquetPhysical(c.PhysicalType()), Length: c.TypeLength()}
	// The library has the logical types with parameters as values and as pointers.
	switch l := c.LogicalType().(type) {
	case schema.StringLogicalType, schema.EnumLogicalType:
		how.Logical = datatype.LogicalText
	case schema.JSONLogicalType:
		how.Logical = datatype.LogicalJSON
	case schema.DateLogicalType:
		how.Logical = datatype.LogicalDate
	case schema.UUIDLogicalType:
		how.Logical = datatype.LogicalUUID
	case interface {
		Precision() int32
		Scale() int32
	}:
		how.Logical, how.Precision, how.Scale = datatype.LogicalDecimal, int(l.Precision()), int(l.Scale())
	case interface {
		TimeUnit() schema.TimeUnitType
		IsAdjustedToUTC() bool
	}:
		how.Logical, how.Unit, how.UTC = datatype.LogicalTime, unitOf(l.TimeUnit()), l.IsAdjustedToUTC()
		if isTimestamp(l.(schema.LogicalType)) {
			how.Logical = datatype.LogicalTimestamp
		}
	case interface {
		BitWidth() int8
		IsSigned() bool
	}:
		how.Logical, how.Bits, how.Signed = datatype.LogicalInteger, int(l.BitWidth()), l.IsSigned()
	}
	return how
}

func isTimestamp(l schema.LogicalType) bool {
	switch l.(type) {
	case schema.TimestampLogicalType, *schema.TimestampLogicalType:
		return true
	}
	return false
}

// unitOf returns the unit of a time as ParquetColumn has it.
func unitOf(u schema.TimeUnitType) int64 {
	switch u {
	case schema.TimeUnitMillis:
		return 1000
	case schema.TimeUnitMicros:
		return 1
	case schema.TimeUnitNanos:
		return -1000
	}
	return 0
}

// cast turns a stored value into one of the column's type.
func (r *cellReader) cast(v kalam.Value) (kalam.Value, error) {
	if r.stored == r.target {
		return v, nil
	}
	return datatype.Cast(r.target, v)
}

func (r *cellReader) fromBool(b bool) (kalam.Value, error) { return r.cast(kalam.Bool(b)) }

func (r *cellReader) fromInt32(n int32) (kalam.Value, error) {
	if r.unsigned {
		return r.fromInt64(int64(uint32(n)))
	}
	return r.fromInt64(int64(n))
}

func (r *cellReader) fromInt64(n int64) (kalam.Value, error) {
	switch {
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
	return r.cast(datatype.FromParquetInt(r.stored, n))
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
	return r.cast(kalam.StringOf(r.stored.Kind, s))
}

func (r *cellReader) fromFixed(b parquet.FixedLenByteArray) (kalam.Value, error) {
	if r.stored.Kind == kalam.KindDecimal {
		return r.fromBigEndian(b)
	}
	if r.stored.Kind == kalam.KindUUID {
		if len(b) != 16 {
			return kalam.Value{}, fmt.Errorf("a UUID has %d bytes", len(b))
		}
		return r.cast(kalam.UUID([16]byte(b)))
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
