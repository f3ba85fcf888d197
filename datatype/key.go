package datatype

import (
	"encoding/binary"
	"strings"

	"github.com/kalamlake/kalam"
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
		dst = of(vals[i].Kind()).appendKey(dst, vals[i])
	}
	return dst
}

// AppendHiddenKey appends the key of a row of a table with a hidden key: id, which
// no other row of the table has or had.
func AppendHiddenKey(dst []byte, id kalam.Seq) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(id))
}

// DecodeKey returns the values of a key that EncodeKey made for t, in key order.
// Any other bytes give CodeCorrupt. The values do not share the key's memory.
func DecodeKey(t *kalam.Table, key []byte) ([]kalam.Value, error) {
	vals := make([]kalam.Value, 0, len(t.PrimaryKey))
	for _, i := range t.PrimaryKey {
		v, n := keyPart(t.Columns[i].Type, key)
		if n == 0 {
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
	if d := of(t.Kind); d.readKey != nil {
		return d.readKey(t, key)
	}
	return kalam.Value{}, 0
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
