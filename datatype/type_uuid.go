package datatype

import (
	"bytes"
	"encoding/hex"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/google/uuid"

	"github.com/kalamlake/kalam"
)

var uuidType = descriptor{
	kind: kalam.KindUUID,
	parse: func(t kalam.DataType, s string) (kalam.Value, error) {
		u, ok := parseUUID(trimBlanks(s))
		if !ok {
			return kalam.Value{}, mismatchText(t, s)
		}
		return kalam.UUID(u), nil
	},
	format: func(dst []byte, v kalam.Value) []byte { return appendUUID(dst, v.UUID()) },
	cell: func(dst []byte, v kalam.Value) []byte {
		return append(appendUUID(append(dst, '"'), v.UUID()), '"')
	},
	size:      16,
	encode:    appendUUIDBytes,
	decode:    func(_ kalam.Kind, data []byte) kalam.Value { return kalam.UUID([16]byte(data)) },
	appendKey: appendUUIDBytes,
	readKey: func(_ kalam.DataType, key []byte) (kalam.Value, int) {
		if len(key) < 16 {
			return kalam.Value{}, 0
		}
		return kalam.UUID([16]byte(key[:16])), 16
	},
	arrow:     arrowIs(extensions.NewUUIDType()),
	extension: "arrow.uuid",
	column:    func(b array.Builder) column { return uuidColumn{b.(*array.FixedSizeBinaryBuilder)} },
	parquet: func(kalam.DataType) ParquetColumn {
		return ParquetColumn{Physical: ParquetFixed, Length: 16, Logical: LogicalUUID}
	},
	stored: func(c ParquetColumn, asked bool) (kalam.DataType, bool) {
		uuid := c.Logical == LogicalUUID || asked && c.Logical == LogicalNone
		return kalam.TypeOf(kalam.KindUUID), c.Physical == ParquetFixed && c.Length == 16 && uuid
	},
	compare: func(a, b kalam.Value) int {
		x, y := a.UUID(), b.UUID()
		return bytes.Compare(x[:], y[:])
	},
	bound: func(v kalam.Value) (string, any) { return "Utf8", Format(v) },
}

// parseUUID reads 32 hexadecimal digits, with the four hyphens or without, and
// optionally in braces.
func parseUUID(s string) (u uuid.UUID, ok bool) {
	if len(s) > 2 && s[0] == '{' && s[len(s)-1] == '}' {
		s = s[1 : len(s)-1]
	}
	if len(s) != 36 && len(s) != 32 { // The package takes URNs, too.
		return u, false
	}
	u, err := uuid.Parse(s)
	return u, err == nil
}

// appendUUID appends the hyphenated lower-case form.
func appendUUID(dst []byte, u [16]byte) []byte {
	dst = append(hex.AppendEncode(dst, u[:4]), '-')
	dst = append(hex.AppendEncode(dst, u[4:6]), '-')
	dst = append(hex.AppendEncode(dst, u[6:8]), '-')
	dst = append(hex.AppendEncode(dst, u[8:10]), '-')
	return hex.AppendEncode(dst, u[10:])
}

func appendUUIDBytes(dst []byte, v kalam.Value) []byte {
	u := v.UUID()
	return append(dst, u[:]...)
}

type uuidColumn struct{ *array.FixedSizeBinaryBuilder }

func (c uuidColumn) appendData(d []byte) { c.Append(d) }

func (c uuidColumn) appendValue(v kalam.Value) {
	u := v.UUID()
	c.Append(u[:])
}
