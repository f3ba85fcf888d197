package parquet

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/kalamlake/kalam"
	"github.com/kalamlake/kalam/datatype"
)

// The converted types of Parquet, and none.
const (
	convertedNone      = -1
	convertedUTF8      = 0
	convertedDecimal   = 5
	convertedDate      = 6
	convertedTime      = 8
	convertedTimestamp = 10
	convertedUint8     = 11 // Followed by those of 16, 32 and 64 bits.
	convertedInt8      = 15 // As well.
	convertedJSON      = 19
)

// convertedOf returns the converted type of a column, which old readers go by.
func convertedOf(c datatype.ParquetColumn) int32 {
	switch c.Logical {
	case datatype.LogicalText:
		return convertedUTF8
	case datatype.LogicalJSON:
		return convertedJSON
	case datatype.LogicalInteger:
		steps := int32(bits.TrailingZeros(uint(c.Bits / 8)))
		if c.Signed {
			return convertedInt8 + steps
		}
		return convertedUint8 + steps
	case datatype.LogicalDecimal:
		return convertedDecimal
	case datatype.LogicalDate:
		return convertedDate
	case datatype.LogicalTime:
		return convertedTime
	case datatype.LogicalTimestamp:
		return convertedTimestamp
	case datatype.LogicalUUID, datatype.LogicalNone:
	}
	return convertedNone
}

// MaxStatBytes is the longest text that is given as a bound.
const MaxStatBytes = 256

// columnWriter collects one column of a Parquet file as one page.
type columnWriter struct {
	name string
	id   kalam.ColumnID // 0: without a field id.
	how  datatype.ParquetColumn
	// required says that no value is NULL, so that the file need not tell which are.
	required bool

	values  []byte // In the encoding PLAIN.
	bits    int    // Values of a BOOLEAN.
	nulls   int64
	present []bool // By row.
	bounds  bounds
}

func newColumnWriter(name string, id kalam.ColumnID, t kalam.DataType) columnWriter {
	return columnWriter{name: name, id: id, how: datatype.ParquetOf(t)}
}

// add adds the value of the next row, which is NULL or of the column's type.
func (c *columnWriter) add(v kalam.Value) {
	c.present = append(c.present, !v.IsNull())
	if v.IsNull() {
		c.nulls++
		return
	}
	switch c.how.Physical {
	case datatype.ParquetBoolean:
		c.addBit(v.Bool())
	case datatype.ParquetInt32, datatype.ParquetInt64:
		c.addInt(v)
	case datatype.ParquetFloat:
		f := float32(v.Float64())
		c.bounds.float(float64(f))
		c.values = binary.LittleEndian.AppendUint32(c.values, math.Float32bits(f))
	case datatype.ParquetDouble:
		c.bounds.float(v.Float64())
		c.values = binary.LittleEndian.AppendUint64(c.values, math.Float64bits(v.Float64()))
	case datatype.ParquetBytes:
		c.bounds.bytes(v.Str())
		c.values = binary.LittleEndian.AppendUint32(c.values, uint32(len(v.Str())))
		c.values = append(c.values, v.Str()...)
	case datatype.ParquetFixed:
		c.addFixed(v)
	}
}

func (c *columnWriter) isDecimal() bool { return c.how.Logical == datatype.LogicalDecimal }

func (c *columnWriter) addBit(v bool) {
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

func (c *columnWriter) addInt(v kalam.Value) {
	n := int64(v.Bits()) // A DECIMAL has at most 18 digits.
	c.bounds.int(n)
	if c.how.Physical == datatype.ParquetInt32 {
		c.values = binary.LittleEndian.AppendUint32(c.values, uint32(n))
	} else {
		c.values = binary.LittleEndian.AppendUint64(c.values, uint64(n))
	}
}

// addFixed adds a UUID, or a decimal as a number of 16 bytes, the highest first.
func (c *columnWriter) addFixed(v kalam.Value) {
	var b [16]byte
	if c.isDecimal() {
		hi, lo, _ := v.Decimal()
		binary.BigEndian.PutUint64(b[:8], uint64(hi))
		binary.BigEndian.PutUint64(b[8:], lo)
	} else {
		b = v.UUID()
	}
	c.values = append(c.values, b[:]...)
	if c.isDecimal() {
		b[0] ^= signBit // Now the bytes order as the numbers do.
	}
	c.bounds.bytes(string(b[:]))
}

const signBit = 0x80

// page appends the page: which rows have a value, as runs, then the values.
func (c *columnWriter) page(buf []byte) []byte {
	if c.required {
		return append(buf, c.values...)
	}
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
func (c *columnWriter) limits() (low, high []byte, ok bool) {
	b := &c.bounds
	if !b.any || b.unordered {
		return nil, nil, false
	}
	le := binary.LittleEndian
	switch c.how.Physical {
	case datatype.ParquetBoolean:
		return []byte{byte(b.minInt)}, []byte{byte(b.maxInt)}, true
	case datatype.ParquetInt32:
		return le.AppendUint32(nil, uint32(b.minInt)), le.AppendUint32(nil, uint32(b.maxInt)), true
	case datatype.ParquetInt64:
		return le.AppendUint64(nil, uint64(b.minInt)), le.AppendUint64(nil, uint64(b.maxInt)), true
	case datatype.ParquetFloat:
		low, high := math.Float32bits(float32(b.minFloat)), math.Float32bits(float32(b.maxFloat))
		return le.AppendUint32(nil, low), le.AppendUint32(nil, high), true
	case datatype.ParquetDouble:
		low, high := math.Float64bits(b.minFloat), math.Float64bits(b.maxFloat)
		return le.AppendUint64(nil, low), le.AppendUint64(nil, high), true
	case datatype.ParquetBytes, datatype.ParquetFixed:
	}
	low, high = []byte(b.minBytes), []byte(b.maxBytes)
	if c.how.Physical == datatype.ParquetFixed && c.isDecimal() {
		low[0] ^= signBit
		high[0] ^= signBit
	}
	return low, high, len(low) <= MaxStatBytes && len(high) <= MaxStatBytes
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
