package kalam

import "fmt"

// Kind is the kind of a data type and the tag of a Value. The numbers are the
// tag bytes of the row encoding (docs/architecture/row-format.md) and must
// never change.
type Kind uint8

// The kinds. KindNull is the kind of the NULL value, not of a column.
const (
	KindNull      Kind = 0x00
	KindBoolean   Kind = 0x01
	KindInt       Kind = 0x02
	KindBigInt    Kind = 0x03
	KindDouble    Kind = 0x04
	KindText      Kind = 0x05
	KindTimestamp Kind = 0x06
	KindDate      Kind = 0x07
	KindTime      Kind = 0x08
	KindJSON      Kind = 0x09
	KindBytes     Kind = 0x0A
	KindSmallInt  Kind = 0x0B
	KindFloat     Kind = 0x0C
	KindDecimal   Kind = 0x0D
	KindUUID      Kind = 0x0E
	KindDateTime  Kind = 0x0F
)

// Family groups the kinds whose values are alike: those of one family have the same Go
// value and the same rules of conversion, and differ in their ranges and forms alone.
// Code outside of package datatype asks for the family, so that a new kind of a known
// family needs no change there.
type Family uint8

// The families. FamilyNone is that of KindNull and of numbers that are no kind.
const (
	FamilyNone Family = iota
	FamilyBoolean
	FamilyInteger // Value.Int
	FamilyFloat   // Value.Float64
	FamilyDecimal // Value.Decimal
	FamilyText    // Value.Str, as FamilyJSON and FamilyBytes.
	FamilyJSON
	FamilyBytes
	FamilyInstant // Value.Int, microseconds since 1970: TIMESTAMP and DATETIME.
	FamilyDate    // Value.Int, days since 1970.
	FamilyTime    // Value.Int, microseconds since midnight.
	FamilyUUID    // Value.UUID

	Families = iota // How many there are.
)

// TypeArgs says what may stand in parentheses after the name of a type in SQL.
type TypeArgs uint8

// What may stand in parentheses.
const (
	ArgsNone    TypeArgs = iota
	ArgsLength           // (n): a length or display width, which has no effect.
	ArgsDigits           // (p): digits of seconds; storage always keeps microseconds.
	ArgsFloat            // (p): binary digits, more than 24 of which make a DOUBLE.
	ArgsDecimal          // (p[, s])
)

// TypeName is one word, in upper case, that names a type in SQL.
type TypeName struct {
	Name   string
	Kind   Kind
	Args   TypeArgs
	Serial bool // It means AUTO_INCREMENT and NOT NULL, too.
}

// kindInfo is what there is to know of a kind without its conversions, which are in
// package datatype.
type kindInfo struct {
	sql         string
	wire        string
	family      Family
	description string
	names       []TypeName // Their kind is filled in by TypeNames.
}

// kindInfos is a table of constants, by kind.
var kindInfos = [...]kindInfo{
	KindNull: {sql: "NULL"},
	KindBoolean: {
		sql: "BOOLEAN", wire: "Boolean", family: FamilyBoolean, description: "true or false",
		names: []TypeName{{Name: "BOOLEAN"}, {Name: "BOOL"}},
	},
	KindSmallInt: {
		sql: "SMALLINT", wire: "SmallInt", family: FamilyInteger, description: "16-bit integer",
		names: []TypeName{
			{Name: "SMALLINT", Args: ArgsLength}, {Name: "INT2"},
			{Name: "SERIAL2", Serial: true}, {Name: "SMALLSERIAL", Serial: true},
		},
	},
	KindInt: {
		sql: "INT", wire: "Int", family: FamilyInteger, description: "32-bit integer",
		names: []TypeName{
			{Name: "INT", Args: ArgsLength}, {Name: "INTEGER", Args: ArgsLength}, {Name: "MEDIUMINT", Args: ArgsLength},
			{Name: "INT4"}, {Name: "SIGNED"}, {Name: "SERIAL", Serial: true}, {Name: "SERIAL4", Serial: true},
		},
	},
	KindBigInt: {
		sql: "BIGINT", wire: "BigInt", family: FamilyInteger, description: "64-bit integer",
		names: []TypeName{
			{Name: "BIGINT", Args: ArgsLength}, {Name: "INT8"}, {Name: "INT64"},
			{Name: "SERIAL8", Serial: true}, {Name: "BIGSERIAL", Serial: true},
		},
	},
	KindFloat: {
		sql: "FLOAT", wire: "Float", family: FamilyFloat, description: "32-bit floating point",
		names: []TypeName{{Name: "FLOAT", Args: ArgsFloat}, {Name: "REAL"}, {Name: "FLOAT4"}},
	},
	KindDouble: {
		sql: "DOUBLE", wire: "Double", family: FamilyFloat, description: "64-bit floating point",
		names: []TypeName{{Name: "DOUBLE"}, {Name: "FLOAT8"}, {Name: "FLOAT64"}},
	},
	KindDecimal: {
		sql: "DECIMAL", wire: "Decimal", family: FamilyDecimal, description: "exact decimal, DECIMAL(p,s), p up to 38",
		names: []TypeName{
			{Name: "DECIMAL", Args: ArgsDecimal}, {Name: "NUMERIC", Args: ArgsDecimal}, {Name: "DEC", Args: ArgsDecimal},
		},
	},
	KindText: {
		sql: "TEXT", wire: "Text", family: FamilyText, description: "UTF-8 text",
		names: []TypeName{
			{Name: "TEXT", Args: ArgsLength}, {Name: "CHAR", Args: ArgsLength}, {Name: "CHARACTER", Args: ArgsLength},
			{Name: "VARCHAR", Args: ArgsLength}, {Name: "NVARCHAR", Args: ArgsLength}, {Name: "NCHAR", Args: ArgsLength},
			{Name: "CLOB", Args: ArgsLength}, {Name: "STRING", Args: ArgsLength},
		},
	},
	KindTimestamp: {
		sql: "TIMESTAMP", wire: "Timestamp", family: FamilyInstant, description: "microseconds since 1970, UTC",
		names: []TypeName{{Name: "TIMESTAMP", Args: ArgsDigits}},
	},
	KindDateTime: {
		sql: "DATETIME", wire: "DateTime", family: FamilyInstant,
		description: "microseconds since 1970 with time zone UTC",
		names:       []TypeName{{Name: "DATETIME", Args: ArgsDigits}, {Name: "TIMESTAMPTZ", Args: ArgsDigits}},
	},
	KindDate: {
		sql: "DATE", wire: "Date", family: FamilyDate, description: "days since 1970",
		names: []TypeName{{Name: "DATE"}},
	},
	KindTime: {
		sql: "TIME", wire: "Time", family: FamilyTime, description: "microseconds since midnight",
		names: []TypeName{{Name: "TIME", Args: ArgsDigits}},
	},
	KindJSON: {
		sql: "JSON", wire: "Json", family: FamilyJSON, description: "JSON document as text",
		names: []TypeName{{Name: "JSON"}, {Name: "JSONB"}, {Name: "OBJECT"}},
	},
	KindBytes: {
		sql: "BYTES", wire: "Bytes", family: FamilyBytes, description: "bytes",
		names: []TypeName{
			{Name: "BYTES", Args: ArgsLength}, {Name: "BINARY", Args: ArgsLength}, {Name: "VARBINARY", Args: ArgsLength},
			{Name: "BLOB", Args: ArgsLength}, {Name: "BYTEA"},
		},
	},
	KindUUID: {
		sql: "UUID", wire: "Uuid", family: FamilyUUID, description: "128-bit UUID",
		names: []TypeName{{Name: "UUID"}},
	},
}

// NumKinds is one more than the highest kind.
const NumKinds = len(kindInfos)

// kinds lists every kind of column in the order of the documentation.
var kinds = [...]Kind{
	KindBoolean, KindSmallInt, KindInt, KindBigInt, KindFloat, KindDouble, KindDecimal, KindText,
	KindTimestamp, KindDateTime, KindDate, KindTime, KindJSON, KindBytes, KindUUID,
}

// keyKinds can be part of a primary key, in the order of messages.
var keyKinds = [...]Kind{KindBigInt, KindText, KindSmallInt, KindInt, KindUUID, KindDate, KindTimestamp}

// Kinds returns every kind a column can have, in the order of the documentation.
func Kinds() []Kind { return append([]Kind(nil), kinds[:]...) }

// KeyKinds returns the kinds that can be part of a primary key, in the order of messages.
func KeyKinds() []Kind { return append([]Kind(nil), keyKinds[:]...) }

// TypeNames returns the names of types in SQL.
func TypeNames() []TypeName {
	var names []TypeName
	for _, k := range kinds {
		for _, n := range k.info().names {
			n.Kind = k
			names = append(names, n)
		}
	}
	return names
}

// info returns what is known of k, that of KindNull for a number that is no kind.
func (k Kind) info() *kindInfo {
	if int(k) < len(kindInfos) {
		return &kindInfos[k]
	}
	return &kindInfos[KindNull]
}

// String returns the SQL name of k, "NULL" for KindNull.
func (k Kind) String() string {
	if int(k) < len(kindInfos) {
		return kindInfos[k].sql
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Family returns the family of k.
func (k Kind) Family() Family { return k.info().family }

// Description says in a few words what k holds.
func (k Kind) Description() string { return k.info().description }

// IsColumn reports whether columns can have the kind: all but KindNull can.
func (k Kind) IsColumn() bool { return k.Family() != FamilyNone }

// CanBeKey reports whether a column of the kind can be part of a primary key.
func (k Kind) CanBeKey() bool {
	for _, key := range keyKinds {
		if key == k {
			return true
		}
	}
	return false
}

// IsInteger reports whether k holds whole numbers, other than times.
func (k Kind) IsInteger() bool { return k.Family() == FamilyInteger }

// IsExact reports whether k holds numbers without rounding them to binary fractions:
// integers and DECIMAL.
func (k Kind) IsExact() bool { return k.Family() == FamilyInteger || k.Family() == FamilyDecimal }

// IsNumber reports whether k holds numbers, other than times.
func (k Kind) IsNumber() bool { return k.IsExact() || k.Family() == FamilyFloat }

// IsTemporal reports whether k holds moments, dates or times of day.
func (k Kind) IsTemporal() bool {
	f := k.Family()
	return f == FamilyInstant || f == FamilyDate || f == FamilyTime
}
