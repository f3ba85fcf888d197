package datatype

import "github.com/kalamlake/kalam"

// ParquetPhysical is a physical type of Parquet, with its number in the format.
type ParquetPhysical int32

// The physical types that columns of ours have.
const (
	ParquetBoolean ParquetPhysical = 0
	ParquetInt32   ParquetPhysical = 1
	ParquetInt64   ParquetPhysical = 2
	ParquetFloat   ParquetPhysical = 4
	ParquetDouble  ParquetPhysical = 5
	ParquetBytes   ParquetPhysical = 6
	ParquetFixed   ParquetPhysical = 7
)

// ParquetLogical is what a column of Parquet says of the meaning of its values.
type ParquetLogical uint8

// The meanings that a column of ours can have; the rest is LogicalNone.
const (
	LogicalNone ParquetLogical = iota
	LogicalText
	LogicalJSON
	LogicalInteger
	LogicalDecimal
	LogicalDate
	LogicalTime
	LogicalTimestamp
	LogicalUUID
)

// ParquetColumn is how a column of a Parquet file holds its values. Fields that the
// logical type does not need are zero.
type ParquetColumn struct {
	Physical ParquetPhysical
	Length   int // Bytes of a ParquetFixed.
	Logical  ParquetLogical

	Bits             int // Of LogicalInteger, as is Signed.
	Signed           bool
	Precision, Scale int   // Of LogicalDecimal.
	Unit             int64 // Of times: one is so many microseconds, or -Unit are one. 0 is an unknown unit.
	UTC              bool  // Of LogicalTimestamp.
}

// ParquetOf returns how values of t are stored, which is as DuckDB stores them.
func ParquetOf(t kalam.DataType) ParquetColumn {
	if d := of(t.Kind); d.parquet != nil {
		return d.parquet(t)
	}
	return ParquetColumn{Physical: ParquetBytes}
}

// StoredAs returns the type of the values of a file's column, which is taken for t where
// the file does not say it; ok is false for one that no column of ours is stored as.
func StoredAs(c ParquetColumn, t kalam.DataType) (stored kalam.DataType, ok bool) {
	if d := of(t.Kind); d.stored != nil {
		if stored, ok = d.stored(c, true); ok {
			return stored, true
		}
	}
	for i := range types {
		if types[i].stored == nil {
			continue
		}
		if stored, ok = types[i].stored(c, false); ok {
			return stored, true
		}
	}
	return kalam.DataType{}, false
}

// Widens reports whether values that are stored as type from can be those of a column of
// type to, which perhaps was widened since they were written.
func Widens(from, to kalam.DataType) bool {
	if from.Kind == to.Kind {
		return true
	}
	d := of(to.Kind)
	return d.widens != nil && d.widens(of(from.Kind))
}

// FromParquetInt returns the value of type t that an integer of a Parquet column stands for.
func FromParquetInt(t kalam.DataType, n int64) kalam.Value {
	if d := of(t.Kind); d.fromParquet != nil {
		return d.fromParquet(t, n)
	}
	return kalam.Integer(t.Kind, n)
}

// storedPlain is the stored of a type that one physical type tells alone.
func storedPlain(k kalam.Kind, p ParquetPhysical) func(ParquetColumn, bool) (kalam.DataType, bool) {
	return func(c ParquetColumn, _ bool) (kalam.DataType, bool) {
		return kalam.TypeOf(k), c.Physical == p
	}
}

// widensNumbers is the widens of the types that take every number but DOUBLE.
func widensNumbers(from *descriptor) bool {
	return from.kind.IsNumber() && from.kind != kalam.KindDouble
}
