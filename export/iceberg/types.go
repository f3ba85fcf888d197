package iceberg

import (
	"encoding/binary"
	"fmt"

	"github.com/kalamlake/kalam"
)

// typeOf returns the type of a column in an Iceberg table, which has the same values; ok is false for a
// type that none of the format's is like. Every type is stored in Parquet as the format asks.
func typeOf(t kalam.DataType) (name string, ok bool) {
	switch t.Kind {
	case kalam.KindBoolean:
		return "boolean", true
	case kalam.KindSmallInt, kalam.KindInt:
		return "int", true
	case kalam.KindBigInt:
		return "long", true
	case kalam.KindFloat:
		return "float", true
	case kalam.KindDouble:
		return "double", true
	case kalam.KindDecimal:
		return fmt.Sprintf("decimal(%d, %d)", t.Precision, t.Scale), true
	case kalam.KindText, kalam.KindJSON:
		return "string", true
	case kalam.KindTimestamp:
		return "timestamp", true
	case kalam.KindDateTime:
		return "timestamptz", true
	case kalam.KindDate:
		return "date", true
	case kalam.KindTime:
		return "time", true
	case kalam.KindBytes:
		return "binary", true
	case kalam.KindUUID:
		return "uuid", true
	case kalam.KindNull:
	}
	return "", false
}

// promotes reports whether readers take values of files with a column of type from as those of a column
// of type to: the two are one type of the format, or it lets the first become the second.
func promotes(from, to kalam.DataType) bool {
	one, _ := typeOf(from)
	other, ok := typeOf(to)
	switch {
	case !ok:
		return false
	case one == other, one == "int" && other == "long", one == "float" && other == "double":
		return true
	}
	return from.Kind == kalam.KindDecimal && to.Kind == kalam.KindDecimal && from.Scale == to.Scale &&
		from.Precision <= to.Precision
}

// maxBoundBytes is the length of the longest text that is a bound: a longer one would have to be cut.
const maxBoundBytes = 256

// boundOf returns a value as a bound of a column; ok is false where there is none: for types that are
// no part of a key, for long text, and for UUID, which readers order in different ways.
func boundOf(v kalam.Value) (bound []byte, ok bool) {
	switch v.Kind() {
	case kalam.KindSmallInt, kalam.KindInt, kalam.KindDate:
		return binary.LittleEndian.AppendUint32(nil, uint32(v.Int())), true
	case kalam.KindBigInt, kalam.KindTimestamp:
		return binary.LittleEndian.AppendUint64(nil, uint64(v.Int())), true
	case kalam.KindText:
		return []byte(v.Str()), len(v.Str()) <= maxBoundBytes
	default:
		return nil, false
	}
}
