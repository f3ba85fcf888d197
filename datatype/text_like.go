package datatype

import (
	"bytes"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/kalamlake/kalam"
)

// What TEXT, JSON and BYTES have in common.

func appendStr(dst []byte, v kalam.Value) []byte { return append(dst, v.Str()...) }

func appendStrCell(dst []byte, v kalam.Value) []byte { return AppendJSONString(dst, v.Str()) }

func decodeStr(k kalam.Kind, data []byte) kalam.Value { return kalam.StringOf(k, aliased(data)) }

// The bytes of text in a key: a zero byte is followed by keyZero, and the end is
// a zero byte followed by keyEnd. An end is below every continuation, so that
// "a" is before "a\x00" and before "ab", also inside a composite key.
const (
	keyEnd  = 0x01
	keyZero = 0xFF
)

// appendKeyStr appends text escaped and terminated.
func appendKeyStr(dst []byte, v kalam.Value) []byte {
	for s := v.Str(); ; {
		i := strings.IndexByte(s, 0)
		if i < 0 {
			dst = append(dst, s...)
			return append(dst, 0, keyEnd)
		}
		dst = append(dst, s[:i]...)
		dst = append(dst, 0, keyZero)
		s = s[i+1:]
	}
}

// readKeyStr reads escaped text.
func readKeyStr(t kalam.DataType, key []byte) (kalam.Value, int) {
	var s []byte
	for at := 0; ; {
		i := bytes.IndexByte(key[at:], 0)
		if i < 0 || at+i+1 == len(key) {
			return kalam.Value{}, 0
		}
		s = append(s, key[at:at+i]...)
		at += i + 2
		switch key[at-1] {
		case keyZero:
			s = append(s, 0)
		case keyEnd:
			return kalam.StringOf(t.Kind, string(s)), at
		default:
			return kalam.Value{}, 0
		}
	}
}

func compareStr(a, b kalam.Value) int { return strings.Compare(a.Str(), b.Str()) }

func boundText(v kalam.Value) (string, any) { return "Utf8", v.Str() }

// textColumn is a column of TEXT or JSON.
type textColumn struct{ *array.StringBuilder }

func (c textColumn) appendData(d []byte)       { c.BinaryBuilder.Append(d) }
func (c textColumn) appendValue(v kalam.Value) { c.Append(v.Str()) }
