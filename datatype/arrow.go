package datatype

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamlake/kalam"
)

// MetadataType is the key of the field metadata that names the SQL type of a
// field whose Arrow type does not say it: "JSON" on a string field, "HUGEINT" on a
// Decimal128(38,0).
const MetadataType = "kalam:type"

// Values of MetadataType.
const (
	metadataJSON    = "JSON"
	metadataHugeInt = "HUGEINT" // DuckDB's, of a sum of BIGINTs for instance.
)

// JSONField returns f, a field of text that is JSON, marked so.
func JSONField(f arrow.Field) arrow.Field { return marked(f, metadataJSON) }

// HugeIntField returns f, a Decimal128(38,0) that DuckDB has made of a HUGEINT, marked
// so: results show it as BIGINT, as those of UBIGINT, with as many digits as it has.
func HugeIntField(f arrow.Field) arrow.Field { return marked(f, metadataHugeInt) }

func marked(f arrow.Field, name string) arrow.Field {
	f.Metadata = arrow.NewMetadata([]string{MetadataType}, []string{name})
	return f
}

// ArrowType returns the Arrow type in which values of t are held and written to
// Parquet, nil for a kind that is no column's.
func ArrowType(t kalam.DataType) arrow.DataType {
	if d := of(t.Kind); d.arrow != nil {
		return d.arrow(t)
	}
	return nil
}

// arrowIs is the arrow of a type without parameters. Arrow types are immutable.
func arrowIs(dt arrow.DataType) func(kalam.DataType) arrow.DataType {
	return func(kalam.DataType) arrow.DataType { return dt }
}

// ArrowField returns the field of column c. It is nullable even for NOT NULL
// columns, because rows older than the column may lack it.
func ArrowField(c *kalam.Column) arrow.Field {
	return FieldOf(c.Name, c.Type)
}

// FieldOf returns a nullable field of type t, for result and system schemas.
// TypeOfArrow gives t back.
func FieldOf(name string, t kalam.DataType) arrow.Field {
	f := arrow.Field{Name: name, Type: ArrowType(t), Nullable: true}
	if t.Kind == kalam.KindJSON {
		return JSONField(f)
	}
	return f
}

// HasFloats reports whether a column of t is FLOAT or DOUBLE.
func HasFloats(t *kalam.Table) bool {
	for i := range t.Columns {
		if k := t.Columns[i].Type.Kind; k == kalam.KindFloat || k == kalam.KindDouble {
			return true
		}
	}
	return false
}

// FieldIDs maps the columns of t, and the system columns, to the field ids of its files, which survive renames.
func FieldIDs(t *kalam.Table) map[string]int {
	ids := make(map[string]int, len(t.Columns)+2)
	ids[kalam.ColumnSeq], ids[kalam.ColumnDeleted] = int(kalam.FieldIDSeq), int(kalam.FieldIDDeleted)
	for i := range t.Columns {
		ids[t.Columns[i].Name] = int(t.Columns[i].ID)
	}
	return ids
}

// TableSchema returns the fields of t's columns in order, followed by _seq and
// _deleted.
func TableSchema(t *kalam.Table) *arrow.Schema {
	fields := make([]arrow.Field, 0, len(t.Columns)+2)
	for i := range t.Columns {
		fields = append(fields, ArrowField(&t.Columns[i]))
	}
	fields = append(fields,
		arrow.Field{Name: kalam.ColumnSeq, Type: arrow.PrimitiveTypes.Int64},
		arrow.Field{Name: kalam.ColumnDeleted, Type: arrow.FixedWidthTypes.Boolean})
	return arrow.NewSchema(fields, nil)
}

// TypeOfArrow returns the type that results report for field f, whoever made it. It
// tells the form of the cells: structs and maps are JSON, strings with a document; lists,
// whose cells are arrays, are TEXT, as are intervals, enums and everything without a type
// of ours; HUGEINT and UBIGINT are BIGINT, strings of digits.
func TypeOfArrow(f arrow.Field) kalam.DataType {
	if s, ok := f.Metadata.GetValue(MetadataType); ok {
		switch s {
		case metadataJSON:
			return kalam.TypeOf(kalam.KindJSON)
		case metadataHugeInt:
			return kalam.TypeOf(kalam.KindBigInt)
		}
	}
	if name, ok := f.Metadata.GetValue("ARROW:extension:name"); ok && f.Type.ID() != arrow.EXTENSION {
		if t, ok := typeOfExtension(name); ok {
			return t
		}
	}
	return typeOfArrow(f.Type)
}

// typeOfExtension returns the type of the canonical Arrow extension named name.
func typeOfExtension(name string) (kalam.DataType, bool) {
	for i := range types {
		if name != "" && types[i].extension == name {
			return kalam.TypeOf(types[i].kind), true
		}
	}
	return kalam.DataType{}, false
}

// nearest are the kinds of Arrow types that no type of ours is held in; one that is comes first.
var nearest = map[arrow.Type]kalam.Kind{
	arrow.INT8:              kalam.KindSmallInt,
	arrow.UINT8:             kalam.KindSmallInt,
	arrow.UINT16:            kalam.KindInt,
	arrow.UINT32:            kalam.KindBigInt,
	arrow.UINT64:            kalam.KindBigInt,
	arrow.FLOAT16:           kalam.KindFloat,
	arrow.DATE64:            kalam.KindDate,
	arrow.TIME32:            kalam.KindTime,
	arrow.LARGE_BINARY:      kalam.KindBytes,
	arrow.BINARY_VIEW:       kalam.KindBytes,
	arrow.FIXED_SIZE_BINARY: kalam.KindBytes,
	arrow.MAP:               kalam.KindJSON,
	arrow.STRUCT:            kalam.KindJSON,
}

// arrowKinds is a table of constants: the kinds of the Arrow types that tell the kind
// alone, by their number; KindNull for the others.
var arrowKinds [64]kalam.Kind

// typeOfArrow is TypeOfArrow for a type without metadata.
func typeOfArrow(dt arrow.DataType) kalam.DataType {
	switch d := dt.(type) {
	case arrow.DecimalType:
		return typeOfDecimal(d)
	case *arrow.TimestampType:
		if d.TimeZone != "" {
			return kalam.TypeOf(kalam.KindDateTime)
		}
		return kalam.TypeOf(kalam.KindTimestamp)
	case *arrow.DictionaryType:
		return typeOfArrow(d.ValueType)
	case *arrow.RunEndEncodedType:
		return typeOfArrow(d.Encoded())
	case arrow.ExtensionType:
		if t, ok := typeOfExtension(d.ExtensionName()); ok {
			return t
		}
		return typeOfArrow(d.StorageType())
	}
	if id := int(dt.ID()); id < len(arrowKinds) && arrowKinds[id] != kalam.KindNull {
		return kalam.TypeOf(arrowKinds[id])
	}
	return kalam.TypeOf(kalam.KindText)
}

// typeOfDecimal returns the DECIMAL of an Arrow decimal, with at most 38 digits.
func typeOfDecimal(d arrow.DecimalType) kalam.DataType {
	p, s := d.GetPrecision(), d.GetScale()
	if p < 1 || p > kalam.MaxDecimalPrecision || s < 0 || s > p {
		return kalam.TypeOf(kalam.KindText)
	}
	return kalam.DataType{Kind: kalam.KindDecimal, Precision: uint8(p), Scale: uint8(s)}
}
