package datatype

import (
	"encoding/binary"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kalamlake/kalam"
)

// AppendCell appends cell i of a as JSON, the one form that HTTP and live queries
// use, and returns the extended dst. Every type has a form:
//
//	BOOLEAN                        true, false
//	integers up to 32 bits         number
//	BIGINT, UBIGINT, HUGEINT       string
//	FLOAT, DOUBLE                  number, 3.0 for 3; "NaN", "Infinity", "-Infinity"
//	DECIMAL                        string with exactly its scale of decimals
//	TEXT, JSON, UUID, ENUM         string
//	TIMESTAMP, DATETIME            number of microseconds, whatever the unit was
//	DATE, TIME                     number of days, of microseconds
//	BYTES                          array of byte numbers
//	lists                          array, its elements as above
//	STRUCT, MAP                    string with the JSON document
//	INTERVAL and all else          string
//	NULL                           null
func AppendCell(dst []byte, a arrow.Array, i int) []byte {
	if a.IsNull(i) {
		return append(dst, "null"...)
	}
	switch a := a.(type) {
	case *array.Null:
		return append(dst, "null"...)
	case *array.Int64:
		return appendQuotedInt(dst, a.Value(i))
	case *array.Uint64:
		return append(strconv.AppendUint(append(dst, '"'), a.Value(i), 10), '"')
	case *array.Float32:
		return appendFloatCell(dst, float64(a.Value(i)), 32)
	case *array.Float64:
		return appendFloatCell(dst, a.Value(i), 64)
	case *array.Float16:
		return appendFloatCell(dst, float64(a.Value(i).Float32()), 32)
	case *array.Decimal32, *array.Decimal64, *array.Decimal128, *array.Decimal256:
		return append(appendArrowDecimal(append(dst, '"'), a, i), '"')
	case array.ExtensionArray:
		return appendExtensionCell(dst, a, i)
	case *array.Dictionary:
		return AppendCell(dst, a.Dictionary(), a.GetValueIndex(i))
	case *array.RunEndEncoded:
		return AppendCell(dst, a.Values(), a.GetPhysicalIndex(i))
	case array.Union:
		field, at := unionChild(a, i)
		return AppendCell(dst, field, at)
	case array.ListLike:
		if _, isMap := a.(*array.Map); !isMap {
			return appendListCell(dst, a, i)
		}
	}
	if b, ok := bytesOf(a, i); ok {
		return appendBytesCell(dst, b)
	}
	if s, ok := stringOf(a, i); ok {
		return AppendJSONString(dst, s)
	}
	if n, ok := integerOf(a, i); ok {
		return strconv.AppendInt(dst, n, 10)
	}
	if b, ok := a.(*array.Boolean); ok {
		return strconv.AppendBool(dst, b.Value(i))
	}
	return AppendJSONString(dst, textCell(a, i))
}

// AppendValue appends v as the JSON cell that AppendCell makes of it.
func AppendValue(dst []byte, v kalam.Value) []byte {
	return of(v.Kind()).cell(dst, v)
}

// appendQuotedInt appends a BIGINT, a string because readers of JSON keep only 53
// bits of a number.
func appendQuotedInt(dst []byte, n int64) []byte {
	return append(strconv.AppendInt(append(dst, '"'), n, 10), '"')
}

// appendBytesCell appends the numbers of the bytes of b.
func appendBytesCell(dst []byte, b string) []byte {
	dst = append(dst, '[')
	for i := 0; i < len(b); i++ {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(dst, uint64(b[i]), 10)
	}
	return append(dst, ']')
}

// appendListCell appends list i of a.
func appendListCell(dst []byte, a array.ListLike, i int) []byte {
	start, end := a.ValueOffsets(i)
	dst = append(dst, '[')
	for j := start; j < end; j++ {
		if j > start {
			dst = append(dst, ',')
		}
		dst = AppendCell(dst, a.ListValues(), int(j))
	}
	return append(dst, ']')
}

// appendExtensionCell appends a value of an extension type: ours, or as its
// storage.
func appendExtensionCell(dst []byte, a array.ExtensionArray, i int) []byte {
	switch a.ExtensionType().ExtensionName() {
	case "arrow.uuid":
		if f, ok := a.Storage().(*array.FixedSizeBinary); ok && len(f.Value(i)) == 16 {
			return append(appendUUID(append(dst, '"'), [16]byte(f.Value(i))), '"')
		}
	case "arrow.bool8":
		if b, ok := a.Storage().(*array.Int8); ok {
			return strconv.AppendBool(dst, b.Value(i) != 0)
		}
	}
	return AppendCell(dst, a.Storage(), i)
}

// jsonPlain tells for each byte whether a JSON string holds it as it is.
var jsonPlain = func() (t [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// AppendJSONString appends s as a JSON string. Bytes that are not UTF-8 become
// U+FFFD, so that the result is valid JSON for every s.
func AppendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		i += plainPrefix(s[i:])
		if i == len(s) {
			break
		}
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(append(dst, s[start:i]...), "\uFFFD"...)
				start = i + 1
			}
			i += n
			continue
		}
		dst = appendEscape(append(dst, s[start:i]...), c)
		i++
		start = i
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// plainPrefix returns how many bytes at the start of s a JSON string holds as
// they are. It looks at eight bytes at a time: unless one of them is not ASCII,
// subtracting 0x20 sets a high bit exactly when one is a control character, and
// subtracting 0x01 after xor with a character exactly when one is that character.
func plainPrefix(s string) int {
	const (
		ones  = 0x0101010101010101
		highs = 0x80 * ones
	)
	b := unsafe.Slice(unsafe.StringData(s), len(s)) //nolint:gosec // It is only read.
	i := 0
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		quote, slash := w^'"'*ones, w^'\\'*ones
		if (w|(w-' '*ones)|(quote-ones)|(slash-ones))&highs != 0 {
			break
		}
	}
	for i < len(s) && jsonPlain[s[i]] {
		i++
	}
	return i
}

// appendEscape appends the escape of a control character, quote or backslash.
func appendEscape(dst []byte, c byte) []byte {
	const digits = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	}
	return append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
}

// CellWriter writes the cells of one column. It finds out once what AppendCell
// finds out per cell. It is a plain value, safe for concurrent use.
type CellWriter struct {
	write func(dst []byte, a arrow.Array, i int) []byte
}

// NewCellWriter returns the writer for arrays of field f.
func NewCellWriter(f arrow.Field) CellWriter {
	switch f.Type.ID() {
	case arrow.INT64:
		return CellWriter{writeTyped(func(dst []byte, a *array.Int64,
			i int) []byte {
			return appendQuotedInt(dst, a.Value(i))
		})}
	case arrow.INT32:
		return CellWriter{writeTyped(func(dst []byte, a *array.Int32, i int) []byte {
			return strconv.AppendInt(dst, int64(a.Value(i)), 10)
		})}
	case arrow.INT16:
		return CellWriter{writeTyped(func(dst []byte, a *array.Int16, i int) []byte {
			return strconv.AppendInt(dst, int64(a.Value(i)), 10)
		})}
	case arrow.FLOAT64:
		return CellWriter{writeTyped(func(dst []byte, a *array.Float64,
			i int) []byte {
			return appendFloatCell(dst, a.Value(i), 64)
		})}
	case arrow.STRING:
		return CellWriter{writeTyped(func(dst []byte, a *array.String,
			i int) []byte {
			return AppendJSONString(dst, a.Value(i))
		})}
	case arrow.BOOL:
		return CellWriter{writeTyped(func(dst []byte, a *array.Boolean,
			i int) []byte {
			return strconv.AppendBool(dst, a.Value(i))
		})}
	case arrow.DATE32:
		return CellWriter{writeTyped(func(dst []byte, a *array.Date32, i int) []byte {
			return strconv.AppendInt(dst, int64(a.Value(i)), 10)
		})}
	case arrow.TIMESTAMP:
		unit := f.Type.(*arrow.TimestampType).Unit
		return CellWriter{writeTyped(func(dst []byte, a *array.Timestamp, i int) []byte {
			return strconv.AppendInt(dst, toMicros(int64(a.Value(i)), unit), 10)
		})}
	}
	return CellWriter{AppendCell}
}

// writeTyped returns a cell writer for arrays of type A, and AppendCell for
// arrays that are not what the field promised.
func writeTyped[A arrow.Array](write func([]byte, A, int) []byte) func([]byte, arrow.Array, int) []byte {
	return func(dst []byte, a arrow.Array, i int) []byte {
		typed, ok := a.(A)
		if !ok || a.IsNull(i) {
			return AppendCell(dst, a, i)
		}
		return write(dst, typed, i)
	}
}

// Append appends cell i of a as AppendCell does.
func (w CellWriter) Append(dst []byte, a arrow.Array, i int) []byte { return w.write(dst, a, i) }
