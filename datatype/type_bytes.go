package datatype

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kalamlake/kalam"
)

var bytesType = descriptor{
	kind: kalam.KindBytes,
	duck: "BLOB",
	parse: func(t kalam.DataType, s string) (kalam.Value, error) {
		b, ok := parseBytes(s)
		if !ok {
			return kalam.Value{}, mismatchText(t, s)
		}
		return kalam.Bytes(b), nil
	},
	format: func(dst []byte, v kalam.Value) []byte {
		return hex.AppendEncode(append(dst, `\x`...), []byte(v.Str()))
	},
	cell:      func(dst []byte, v kalam.Value) []byte { return appendBytesCell(dst, v.Str()) },
	size:      sizePrefixed,
	decode:    decodeStr,
	appendKey: appendKeyStr,
	readKey:   readKeyStr,
	arrow:     arrowIs(arrow.BinaryTypes.Binary),
	column:    func(b array.Builder) column { return bytesColumn{b.(*array.BinaryBuilder)} },
	parquet:   func(kalam.DataType) ParquetColumn { return ParquetColumn{Physical: ParquetBytes} },
	stored: func(c ParquetColumn, _ bool) (kalam.DataType, bool) {
		physical := c.Physical == ParquetBytes || c.Physical == ParquetFixed
		return kalam.TypeOf(kalam.KindBytes), physical && c.Logical == LogicalNone
	},
	compare: compareStr,
	bound: func(v kalam.Value) (string, any) {
		return "Binary", base64.StdEncoding.EncodeToString([]byte(v.Str()))
	},
}

// parseBytes reads 0x.. or \x.. as hexadecimal, [1, 2, 255] as the numbers of the
// bytes, which is their form in results, and anything else as base64, with or
// without padding.
func parseBytes(s string) (string, bool) {
	if len(s) >= 2 && (s[0] == '0' || s[0] == '\\') && (s[1] == 'x' || s[1] == 'X') {
		digits := s[2:]
		if s[0] == '\\' && len(s) > 4 && s[4] == '\\' { // \xDE\xAD, the form of DuckDB.
			for i := 4; i < len(s); i += 2 {
				if !strings.HasPrefix(s[i:], `\x`) || len(s) < i+4 {
					return "", false
				}
				s = s[:i] + s[i+2:]
			}
			digits = s[2:]
		}
		b, err := hex.DecodeString(digits)
		return string(b), err == nil
	}
	if strings.HasPrefix(s, "[") {
		return parseByteList(s)
	}
	// The decoder skips line breaks, which a value must not be changed by.
	if strings.ContainsAny(s, "\r\n") {
		return "", false
	}
	enc := base64.StdEncoding
	if len(s)%4 != 0 {
		enc = base64.RawStdEncoding
	}
	b, err := enc.Strict().DecodeString(s)
	return string(b), err == nil
}

// parseByteList reads [n, n, ...] with numbers from 0 to 255.
func parseByteList(s string) (string, bool) {
	inner, ok := strings.CutSuffix(s[1:], "]")
	if !ok {
		return "", false
	}
	if trimBlanks(inner) == "" {
		return "", true
	}
	list := strings.Split(inner, ",")
	out := make([]byte, len(list))
	for i, x := range list {
		n, err := strconv.ParseUint(trimBlanks(x), 10, 8)
		if err != nil {
			return "", false
		}
		out[i] = byte(n)
	}
	return string(out), true
}

type bytesColumn struct{ *array.BinaryBuilder }

func (c bytesColumn) appendData(d []byte)       { c.Append(d) }
func (c bytesColumn) appendValue(v kalam.Value) { c.AppendString(v.Str()) }
