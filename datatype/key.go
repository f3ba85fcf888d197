package datatype

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"

	"github.com/kalamlake/kalam"
)

// The bytes of text in a key: a zero byte is followed by keyZero, and the end is
// a zero byte followed by keyEnd. An end is below every continuation, so that
// "a" is before "a\x00" and before "ab", also inside a composite key.
const (
	keyEnd  = 0x01
	keyZero = 0xFF
)

// EncodeKey appends the primary key of the row vals (the values of t.Columns in
// order and of their types) to dst and returns it. Comparing encodings with
// bytes.Compare orders keys by their columns, as ORDER BY does: text by its
// bytes, NaN above all numbers. Different keys have different encodings, and
// none is a prefix of another of the same table. -0.0 and 0.0, like all NaNs,
// are one key. A key column is never NULL: callers check NOT NULL before. The key
// of a table with a hidden key is not in its rows: see AppendHiddenKey.
func EncodeKey(dst []byte, t *kalam.Table, vals []kalam.Value) []byte {
	for _, i := range t.PrimaryKey {
		dst = appendKeyPart(dst, vals[i])
	}
	return dst
}

// AppendHiddenKey appends the key of a row of a table with a hidden key: id, which
// no other row of the table has or had.
func AppendHiddenKey(dst []byte, id kalam.Seq) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(id))
}

// appendKeyPart appends one column of a key.
func appendKeyPart(dst []byte, v kalam.Value) []byte {
	switch v.Kind() {
	case kalam.KindBoolean:
		if v.Bool() {
			return append(dst, 1)
		}
		return append(dst, 0)
	case kalam.KindSmallInt:
		return binary.BigEndian.AppendUint16(dst, uint16(v.Int())^1<<15)
	case kalam.KindInt, kalam.KindDate:
		return binary.BigEndian.AppendUint32(dst, uint32(v.Int())^1<<31)
	case kalam.KindBigInt, kalam.KindTimestamp, kalam.KindDateTime, kalam.KindTime:
		return binary.BigEndian.AppendUint64(dst, uint64(v.Int())^1<<63)
	case kalam.KindFloat:
		f := float32(v.Float64())
		switch {
		case f != f:
			return binary.BigEndian.AppendUint32(dst, math.MaxUint32)
		case f == 0:
			return binary.BigEndian.AppendUint32(dst, 1<<31)
		}
		b := math.Float32bits(f)
		return binary.BigEndian.AppendUint32(dst, b^(uint32(int32(b)>>31)|1<<31))
	case kalam.KindDouble:
		f := v.Float64()
		switch {
		case f != f:
			return binary.BigEndian.AppendUint64(dst, math.MaxUint64)
		case f == 0:
			return binary.BigEndian.AppendUint64(dst, 1<<63)
		}
		b := math.Float64bits(f)
		return binary.BigEndian.AppendUint64(dst, b^(uint64(int64(b)>>63)|1<<63))
	case kalam.KindDecimal:
		hi, lo, _ := v.Decimal()
		dst = binary.BigEndian.AppendUint64(dst, uint64(hi)^1<<63)
		return binary.BigEndian.AppendUint64(dst, lo)
	case kalam.KindText, kalam.KindJSON, kalam.KindBytes:
		return appendKeyText(dst, v.Str())
	case kalam.KindUUID:
		u := v.UUID()
		return append(dst, u[:]...)
	}
	return dst
}

// appendKeyText appends s escaped and terminated.
func appendKeyText(dst []byte, s string) []byte {
	for {
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

// DecodeKey returns the values of a key that EncodeKey made for t, in key order.
// Any other bytes give CodeCorrupt. The values do not share the key's memory.
func DecodeKey(t *kalam.Table, key []byte) ([]kalam.Value, error) {
	vals := make([]kalam.Value, 0, len(t.PrimaryKey))
	for _, i := range t.PrimaryKey {
		v, n := keyPart(t.Columns[i].Type, key)
		if n <= 0 {
			return nil, kalam.Errorf(kalam.CodeCorrupt, "a stored key of table %s is damaged", t.ID)
		}
		vals = append(vals, v)
		key = key[n:]
	}
	if len(key) != 0 {
		return nil, kalam.Errorf(kalam.CodeCorrupt, "a stored key of table %s is damaged", t.ID)
	}
	return vals, nil
}

// keyPart reads one column of type t that key begins with and returns the number
// of its bytes, 0 when there is none.
func keyPart(t kalam.DataType, key []byte) (kalam.Value, int) {
	switch t.Kind {
	case kalam.KindText, kalam.KindJSON, kalam.KindBytes:
		return keyText(t.Kind, key)
	}
	n := int(tagSizes[t.Kind])
	if t.Kind == kalam.KindDecimal {
		n = 16
	}
	if len(key) < n {
		return kalam.Value{}, 0
	}
	switch t.Kind {
	case kalam.KindBoolean:
		if key[0] > 1 {
			return kalam.Value{}, 0
		}
		return kalam.Bool(key[0] == 1), n
	case kalam.KindSmallInt:
		return kalam.Integer(t.Kind, int64(int16(binary.BigEndian.Uint16(key)^1<<15))), n
	case kalam.KindInt, kalam.KindDate:
		return kalam.Integer(t.Kind, int64(int32(binary.BigEndian.Uint32(key)^1<<31))), n
	case kalam.KindBigInt, kalam.KindTimestamp, kalam.KindDateTime, kalam.KindTime:
		return kalam.Integer(t.Kind, int64(binary.BigEndian.Uint64(key)^1<<63)), n
	case kalam.KindFloat:
		b := binary.BigEndian.Uint32(key)
		if b == math.MaxUint32 {
			return kalam.Float(float32(math.NaN())), n
		}
		return kalam.Float(math.Float32frombits(b ^ (^uint32(int32(b)>>31) | 1<<31))), n
	case kalam.KindDouble:
		b := binary.BigEndian.Uint64(key)
		if b == math.MaxUint64 {
			return kalam.Double(math.NaN()), n
		}
		return kalam.Double(math.Float64frombits(b ^ (^uint64(int64(b)>>63) | 1<<63))), n
	case kalam.KindDecimal:
		return kalam.Decimal(int64(binary.BigEndian.Uint64(key)^1<<63), binary.BigEndian.Uint64(key[8:]), t.Scale), n
	case kalam.KindUUID:
		return kalam.UUID([16]byte(key[:16])), n
	}
	return kalam.Value{}, 0
}

// keyText reads escaped text.
func keyText(k kalam.Kind, key []byte) (kalam.Value, int) {
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
			return textOf(k, string(s)), at
		default:
			return kalam.Value{}, 0
		}
	}
}

// textOf returns the value of a kind that is a string.
func textOf(k kalam.Kind, s string) kalam.Value {
	switch k {
	case kalam.KindJSON:
		return kalam.JSON(s)
	case kalam.KindBytes:
		return kalam.Bytes(s)
	}
	return kalam.Text(s)
}

// KeyText returns the primary key of the row vals for messages: "7", or "7, abc"
// for a composite key. Long texts are cut.
func KeyText(t *kalam.Table, vals []kalam.Value) string {
	parts := make([]string, 0, len(t.PrimaryKey))
	for _, i := range t.PrimaryKey {
		parts = append(parts, abbreviate(Format(vals[i])))
	}
	return strings.Join(parts, ", ")
}
