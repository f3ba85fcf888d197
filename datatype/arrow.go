package datatype

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/extensions"

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

// timestampTypes are shared by all fields; Arrow types are immutable.
var (
	arrowTimestamp = &arrow.TimestampType{Unit: arrow.Microsecond}
	arrowDateTime  = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	arrowUUID      = extensions.NewUUIDType()
)

// ArrowType returns the Arrow type in which values of t are held and written to
// Parquet, nil for a kind that is no column's.
func ArrowType(t kalam.DataType) arrow.DataType {
	switch t.Kind {
	case kalam.KindBoolean:
		return arrow.FixedWidthTypes.Boolean
	case kalam.KindSmallInt:
		return arrow.PrimitiveTypes.Int16
	case kalam.KindInt:
		return arrow.PrimitiveTypes.Int32
	case kalam.KindBigInt:
		return arrow.PrimitiveTypes.Int64
	case kalam.KindFloat:
		return arrow.PrimitiveTypes.Float32
	case kalam.KindDouble:
		return arrow.PrimitiveTypes.Float64
	case kalam.KindDecimal:
		return &arrow.Decimal128Type{Precision: int32(t.Precision), Scale: int32(t.Scale)}
	case kalam.KindText, kalam.KindJSON:
		return arrow.BinaryTypes.String
	case kalam.KindTimestamp:
		return arrowTimestamp
	case kalam.KindDateTime:
		return arrowDateTime
	case kalam.KindDate:
		return arrow.FixedWidthTypes.Date32
	case kalam.KindTime:
		return arrow.FixedWidthTypes.Time64us
	case kalam.KindBytes:
		return arrow.BinaryTypes.Binary
	case kalam.KindUUID:
		return arrowUUID
	}
	return nil
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
	switch name {
	case "arrow.uuid":
		return kalam.TypeOf(kalam.KindUUID), true
	case "arrow.json":
		return kalam.TypeOf(kalam.KindJSON), true
	case "arrow.bool8":
		return kalam.TypeOf(kalam.KindBoolean), true
	}
	return kalam.DataType{}, false
}

// typeOfArrow is TypeOfArrow for a type without metadata.
func typeOfArrow(dt arrow.DataType) kalam.DataType {
	switch d := dt.(type) {
	case *arrow.BooleanType:
		return kalam.TypeOf(kalam.KindBoolean)
	case *arrow.Int8Type, *arrow.Int16Type, *arrow.Uint8Type:
		return kalam.TypeOf(kalam.KindSmallInt)
	case *arrow.Int32Type, *arrow.Uint16Type:
		return kalam.TypeOf(kalam.KindInt)
	case *arrow.Int64Type, *arrow.Uint32Type, *arrow.Uint64Type:
		return kalam.TypeOf(kalam.KindBigInt)
	case *arrow.Float16Type, *arrow.Float32Type:
		return kalam.TypeOf(kalam.KindFloat)
	case *arrow.Float64Type:
		return kalam.TypeOf(kalam.KindDouble)
	case arrow.DecimalType:
		return typeOfDecimal(d)
	case *arrow.TimestampType:
		if d.TimeZone != "" {
			return kalam.TypeOf(kalam.KindDateTime)
		}
		return kalam.TypeOf(kalam.KindTimestamp)
	case *arrow.Date32Type, *arrow.Date64Type:
		return kalam.TypeOf(kalam.KindDate)
	case *arrow.Time32Type, *arrow.Time64Type:
		return kalam.TypeOf(kalam.KindTime)
	case *arrow.BinaryType, *arrow.LargeBinaryType, *arrow.BinaryViewType, *arrow.FixedSizeBinaryType:
		return kalam.TypeOf(kalam.KindBytes)
	case *arrow.DictionaryType:
		return typeOfArrow(d.ValueType)
	case *arrow.RunEndEncodedType:
		return typeOfArrow(d.Encoded())
	case arrow.ExtensionType:
		if t, ok := typeOfExtension(d.ExtensionName()); ok {
			return t
		}
		return typeOfArrow(d.StorageType())
	case *arrow.MapType, *arrow.StructType:
		return kalam.TypeOf(kalam.KindJSON)
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
