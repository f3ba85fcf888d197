package lake

import (
	"encoding/binary"
	"math"

	"github.com/kalamlake/kalam"
)

// The physical types of Parquet.
const (
	physicalBoolean = 0
	physicalInt32   = 1
	physicalInt64   = 2
	physicalFloat   = 4
	physicalDouble  = 5
	physicalBytes   = 6
	physicalFixed   = 7
)

// The converted types of Parquet, and none.
const (
	convertedNone      = -1
	convertedUTF8      = 0
	convertedDecimal   = 5
	convertedDate      = 6
	convertedTime      = 8
	convertedTimestamp = 10
	convertedInt16     = 16
	convertedInt32     = 17
	convertedInt64     = 18
)

// fixedBytes is the length of wide decimals and of UUIDs.
const fixedBytes = 16

// physicalOf returns how values of t are stored, which is as DuckDB does it.
func physicalOf(t kalam.DataType) (physical, converted int32) {
	switch t.Kind {
	case kalam.KindBoolean:
		return physicalBoolean, convertedNone
	case kalam.KindSmallInt:
		return physicalInt32, convertedInt16
	case kalam.KindInt:
		return physicalInt32, convertedInt32
	case kalam.KindBigInt:
		return physicalInt64, convertedInt64
	case kalam.KindFloat:
		return physicalFloat, convertedNone
	case kalam.KindDouble:
		return physicalDouble, convertedNone
	case kalam.KindDecimal:
		switch {
		case t.Precision <= 9:
			return physicalInt32, convertedDecimal
		case t.Precision <= 18:
			return physicalInt64, convertedDecimal
		}
		return physicalFixed, convertedDecimal
	case kalam.KindText, kalam.KindJSON:
		return physicalBytes, convertedUTF8
	case kalam.KindTimestamp, kalam.KindDateTime:
		return physicalInt64, convertedTimestamp
	case kalam.KindDate:
		return physicalInt32, convertedDate
	case kalam.KindTime:
		return physicalInt64, convertedTime
	case kalam.KindUUID:
		return physicalFixed, convertedNone
	}
	return physicalBytes, convertedNone
}

// parquetColumn collects one column of a Parquet file as one page.
type parquetColumn struct {
	name      string
	id        kalam.ColumnID // 0: without a field id.
	kind      kalam.DataType
	physical  int32
	converted int32

	values  []byte // In the encoding PLAIN.
	bits    int    // Values of a BOOLEAN.
	nulls   int64
	present []bool // By row.
	bounds  bounds
}

func newParquetColumn(name string, id kalam.ColumnID, t kalam.DataType) parquetColumn {
	c := parquetColumn{name: name, id: id, kind: t}
	c.physical, c.converted = physicalOf(t)
	return c
}

// add adds the value of the next row, which is NULL or of the column's type.
func (c *parquetColumn) add(v kalam.Value) {
	c.present = append(c.present, !v.IsNull())
	if v.IsNull() {
		c.nulls++
		return
	}
	switch c.physical {
	case physicalBoolean:
		c.addBit(v.Bool())
	case physicalInt32, physicalInt64:
		c.addInt(v)
	case physicalFloat:
		f := float32(v.Float64())
		c.bounds.float(float64(f))
		c.values = binary.LittleEndian.AppendUint32(c.values, math.Float32bits(f))
	case physicalDouble:
		c.bounds.float(v.Float64())
		c.values = binary.LittleEndian.AppendUint64(c.values, math.Float64bits(v.Float64()))
	case physicalBytes:
		c.bounds.bytes(v.Str())
		c.values = binary.LittleEndian.AppendUint32(c.values, uint32(len(v.Str())))
		c.values = append(c.values, v.Str()...)
	case physicalFixed:
		c.addFixed(v)
	}
}

func (c *parquetColumn) addBit(v bool) {
	if c.bits%8 == 0 {
		c.values = append(c.values, 0)
	}
	var bit byte
	if v {
		bit = 1
	}
	c.values[len(c.values)-1] |= bit << (c.bits % 8)
	c.bits++
	c.bounds.int(int64(bit))
}

func (c *parquetColumn) addInt(v kalam.Value) {
	n := v.Int()
	if c.kind.Kind == kalam.KindDecimal {
		_, lo, _ := v.Decimal()
		n = int64(lo) // It has at most 18 digits.
	}
	c.bounds.int(n)
	if c.physical == physicalInt32 {
		c.values = binary.LittleEndian.AppendUint32(c.values, uint32(n))
	} else {
		c.values = binary.LittleEndian.AppendUint64(c.values, uint64(n))
	}
}

// addFixed adds a UUID, or a decimal as a number of 16 bytes, the highest first.
func (c *parquetColumn) addFixed(v kalam.Value) {
	var b [fixedBytes]byte
	if c.kind.Kind == kalam.KindDecimal {
		hi, lo, _ := v.Decimal()
		binary.BigEndian.PutUint64(b[:8], uint64(hi))
		binary.BigEndian.PutUint64(b[8:], lo)
	} else {
		b = v.UUID()
	}
	c.values = append(c.values, b[:]...)
	if c.kind.Kind == kalam.KindDecimal {
		b[0] ^= signBit // Now the bytes order as the numbers do.
	}
	c.bounds.bytes(string(b[:]))
}

const signBit = 0x80

// page appends the page: which rows have a value, as runs, then the values.
func (c *parquetColumn) page(buf []byte) []byte {
	start := len(buf)
	buf = append(buf, 0, 0, 0, 0)
	for i := 0; i < len(c.present); {
		n := 1
		for i+n < len(c.present) && c.present[i+n] == c.present[i] {
			n++
		}
		buf = binary.AppendUvarint(buf, uint64(n)<<1)
		if c.present[i] {
			buf = append(buf, 1)
		} else {
			buf = append(buf, 0)
		}
		i += n
	}
	binary.LittleEndian.PutUint32(buf[start:], uint32(len(buf)-start-4))
	return append(buf, c.values...)
}

// limits returns the least and the greatest value as statistics have them; ok is
// false when there are none.
func (c *parquetColumn) limits() (low, high []byte, ok bool) {
	b := &c.bounds
	if !b.any || b.unordered {
		return nil, nil, false
	}
	le := binary.LittleEndian
	switch c.physical {
	case physicalBoolean:
		return []byte{byte(b.minInt)}, []byte{byte(b.maxInt)}, true
	case physicalInt32:
		return le.AppendUint32(nil, uint32(b.minInt)), le.AppendUint32(nil, uint32(b.maxInt)), true
	case physicalInt64:
		return le.AppendUint64(nil, uint64(b.minInt)), le.AppendUint64(nil, uint64(b.maxInt)), true
	case physicalFloat:
		low, high := math.Float32bits(float32(b.minFloat)), math.Float32bits(float32(b.maxFloat))
		return le.AppendUint32(nil, low), le.AppendUint32(nil, high), true
	case physicalDouble:
		low, high := math.Float64bits(b.minFloat), math.Float64bits(b.maxFloat)
		return le.AppendUint64(nil, low), le.AppendUint64(nil, high), true
	}
	low, high = []byte(b.minBytes), []byte(b.maxBytes)
	if c.physical == physicalFixed && c.kind.Kind == kalam.KindDecimal {
		low[0] ^= signBit
		high[0] ^= signBit
	}
	return low, high, len(low) <= maxStatBytes && len(high) <= maxStatBytes
}

// bounds are the least and the greatest of the values that one of its methods got.
type bounds struct {
	any       bool
	unordered bool // There was a NaN, which has no place among the numbers.

	minInt, maxInt     int64
	minFloat, maxFloat float64
	minBytes, maxBytes string
}

func (b *bounds) int(v int64) {
	if !b.any {
		b.any, b.minInt, b.maxInt = true, v, v
	}
	b.minInt, b.maxInt = min(b.minInt, v), max(b.maxInt, v)
}

// float adds a number. Go's min and max put -0 below 0, so that the zeros of both
// signs lie between the bounds, as the format asks.
func (b *bounds) float(v float64) {
	if math.IsNaN(v) {
		b.unordered = true
		return
	}
	low, high := v, v
	if v == 0 {
		low, high = math.Copysign(0, -1), 0
	}
	if !b.any {
		b.any, b.minFloat, b.maxFloat = true, low, high
	}
	b.minFloat, b.maxFloat = min(b.minFloat, low), max(b.maxFloat, high)
}

func (b *bounds) bytes(v string) {
	if !b.any {
		b.any, b.minBytes, b.maxBytes = true, v, v
	}
	b.minBytes, b.maxBytes = min(b.minBytes, v), max(b.maxBytes, v)
}
